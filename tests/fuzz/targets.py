"""Everything that reads bytes of others, each as a function from bytes to what came of them.

Errors of the tap's own are an outcome; any other error, a row that JSON would change and an answer that takes
long are not.
"""

from __future__ import annotations

import json
import math
import re
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.auth import read_token
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.dialects import lookup_lists
from tap_genesys_aggregates.dialects.lookup_lists import Entries, lookups
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tap_genesys_aggregates.http.errors import error_for_response
from tests.dialects.making import TREE, results, rows, tree, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_genesys_aggregates.core.query import Query

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 5.0
"""How long one input may take: a thousand times what it usually does."""
_LONGEST_LINE = 4_100
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
    """Rows, which JSON must hold as they are and a warehouse too."""

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
    page = lookup_lists.read_listing(body)
    entries = Entries()
    entries.add(page)
    for lookup in lookups().values():
        for entity in entries.by_id.values():
            msgspec.json.encode(lookup.row(entity, "2023-11-20T00:00:00.000Z"))
        lookup.following(lookup.asks[0], page, 2)
    return len(entries.by_id)


def _error(body: bytes) -> object:
    kinds = []
    for status in (302, 400, 401, 403, 404, 413, 429, 500, 504, 599):
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
    "job submitted": lambda body: _JOBS.place(_JOBS.read_submitted(body)) and "a place",
    "job status": lambda body: type(_JOBS.read_status(body)).__name__,
    "job results": lambda body: len(list(_JOBS.read_page(body, window()).leaves)),
    "listing": _listing,
    "grant": lambda body: type(read_token(body)).__name__,
    "error": _error,
    "settings": _settings,
}


def outcome(name: str, body: bytes) -> str:
    """What a reader makes of bytes.

    Args:
        name: One of ``TARGETS``.
        body: The bytes.

    Returns:
        Its result or its refusal, without what differs from input to input: two that are the same went the
        same way.
    """
    began = time.process_time()
    said = _came(name, body)
    assert time.process_time() - began < SECONDS
    return f"{name}: " + re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\d+", "_", said)[:80]


def _came(name: str, body: bytes) -> str:
    """A reader's result, or its refusal, which is one short line."""
    try:
        return str(TARGETS[name](body))
    except TapError as error:
        refusal = f"{type(error).__name__} {error}"
    assert len(refusal) <= _LONGEST_LINE
    assert refusal.isprintable()
    return refusal


def corpus() -> list[Path]:
    """Every input that is kept."""
    return sorted(path for path in CORPUS.iterdir() if path.is_file())
