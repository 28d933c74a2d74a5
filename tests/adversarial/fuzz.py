"""Mutates the corpus and feeds it to everything that parses input.

The tap's own errors are fine. Any other error, a row that JSON would change, or a parser that takes too long
is a crash.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.auth import read_token
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.dialects.lookup_lists import Entries, lookups, read_list_page
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tap_genesys_aggregates.http.errors import error_for_response
from tests.dialects.responses import TREE, results, rows, tree, window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_genesys_aggregates.core.query import Query

CORPUS = Path(__file__).parent / "corpus"
_MAX_SECONDS = 5.0
"""How long one input may take: a thousand times what is usual."""
_LONGEST_LINE = 4_100
FRAGMENTS = (
    b"",
    b"null",
    b"0",
    b"-1",
    b"-0",
    b"1e999",
    b"1e308",
    b"1.5",
    b"9223372036854775808",
    b'"',
    b'""',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"true",
    b"NaN",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\xff",
    b"\x00",
    b"\xe2\x80\xa8",
    b'"2023-99-99T00:00:00Z"',
    b"9999-12-31T23:59:59Z",
    b"0001-01-01T00:00:00+09:00",
    b"P1D",
    b"PT0S",
    b"P9999999999D",
    b"P1000000Y",
    b"/",
    b"//",
    b"..",
    b"[" * 2000,
    b'{"groups":[' * 1500,
    b"9" * 400,
    b"9" * 5000,
    b"x" * 20_000,
    "\u0663".encode(),
)
_LENGTHS = (0, 1, 2, 5, 24, 60)
_STATUSES = (302, 400, 401, 403, 404, 413, 429, 500, 504, 599)
_PRESENCE = ("nOffered", "tSystemPresence")
_JOBS = JobsDialect(results(jobs_path="/jobs", mode="async"))
_NOW = datetime(2023, 11, 20, tzinfo=timezone.utc)
QUERIES: dict[str, Query] = {
    "tree": TREE,
    "tree without groups": tree(),
    "tree by interval": tree("interval"),
    "tree of three levels": tree("interval", "routing.queue.id", "mediaType"),
    "results": results(implicit_dimensions=("mediaType",)),
    "results by status": results(implicit_dimensions=("mediaType",), metrics=_PRESENCE, qualified=True),
    "long results": results(implicit_dimensions=("mediaType",), shape="long", metrics=_PRESENCE),
}


def _rows(query: Query) -> Callable[[bytes], object]:
    """Reads rows, which must survive JSON unchanged and fit into a warehouse."""

    def read(body: bytes) -> object:
        found = rows(query, body)
        for row in found:
            assert msgspec.json.decode(msgspec.json.encode(row)) == row
            for value in row.values():
                assert not isinstance(value, float) or math.isfinite(value)
                assert not isinstance(value, str) or "\0" not in value
        return len(found)

    return read


def _listing(body: bytes) -> object:
    page = read_list_page(body)
    entries = Entries()
    entries.add(page)
    for lookup in lookups().values():
        for entity in entries.by_id.values():
            msgspec.json.encode(lookup.row(entity, "2023-11-20T00:00:00.000Z"))
        lookup.next_link(lookup.requests[0], page, 2)
    return len(entries.by_id)


def _error(body: bytes) -> object:
    kinds = []
    for status in _STATUSES:
        header = body[:100].decode("latin-1")
        error = error_for_response(
            status, {"Retry-After": header, "ININ-Correlation-Id": header}, body, host="h", now=_NOW
        )
        assert len(str(error)) < 1_000
        assert str(error).isprintable()
        kinds.append(type(error).__name__)
    return kinds


def _settings(body: bytes) -> object:
    try:
        config = json.loads(body)
    except (ValueError, RecursionError):
        return "no JSON"
    return Settings.read(config).api if isinstance(config, dict) else "no object"


TARGETS: dict[str, Callable[[bytes], object]] = {
    **{name: _rows(query) for name, query in QUERIES.items()},
    "job submitted": lambda body: _JOBS.job_path(_JOBS.read_submitted(body)) and "a place",
    "job status": lambda body: type(_JOBS.read_status(body)).__name__,
    "job results": lambda body: len(list(_JOBS.read_results(body, window()).leaves)),
    "listing": _listing,
    "grant": lambda body: type(read_token(body)).__name__,
    "error": _error,
    "settings": _settings,
}


def outcome(name: str, body: bytes) -> str:
    """What a target makes of an input.

    Args:
        name: One of ``TARGETS``.
        body: The input.

    Returns:
        The result or the error, without names and numbers: equal outcomes took the same path.
    """
    started = time.process_time()
    text = _result(name, body)
    assert time.process_time() - started < _MAX_SECONDS
    return f"{name}: " + re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\d+", "_", text)[:80]


def _result(name: str, body: bytes) -> str:
    """The result of a target, or its error, which must be one short line."""
    try:
        return str(TARGETS[name](body))
    except TapError as error:
        line = f"{type(error).__name__} {error}"
    assert len(line) <= _LONGEST_LINE
    assert line.isprintable()
    return line


def corpus() -> list[Path]:
    """Every saved input."""
    return sorted(path for path in CORPUS.iterdir() if path.is_file())


def mutate(generator: random.Random, bodies: Sequence[bytes]) -> bytes:
    """One of the bodies, with a few stretches replaced, doubled, or copied from another body."""
    body = generator.choice(bodies)
    for _ in range(generator.randint(1, 4)):
        start = generator.randint(0, len(body))
        end = start + generator.choice(_LENGTHS)
        other = generator.choice(bodies)
        offset = generator.randint(0, len(other))
        piece = generator.choice(
            (
                generator.choice(FRAGMENTS),
                other[offset : offset + generator.choice(_LENGTHS)],
                body[start:end] * 2,
            )
        )
        body = body[:start] + piece + body[end:]
    return body[:100_000]


def campaign(seconds: float, seed: int) -> tuple[int, int, dict[str, bytes]]:
    """Fuzz for some time; an input with a new outcome is mutated further.

    Returns:
        The number of inputs, the number of distinct outcomes, and the crashes: each error with its input.
    """
    generator = random.Random(seed)  # noqa: S311  # seeded, so that a campaign can be repeated
    bodies = [path.read_bytes() for path in corpus()]
    outcomes = {outcome(name, body) for body in bodies for name in TARGETS}
    crashes: dict[str, bytes] = {}
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        body = mutate(generator, bodies)
        count += 1
        for name in TARGETS:
            try:
                found = outcome(name, body)
            except Exception as error:  # noqa: BLE001  # crashes are what the campaign looks for
                crashes.setdefault(f"{name}: {type(error).__name__}: {str(error)[:80]}", body)
                continue
            if found not in outcomes:
                outcomes.add(found)
                bodies.append(body)
    return count, len(outcomes), crashes
