"""Runs the whole tap against a server, with time that leaps where the tap would sleep; how it ended."""

from __future__ import annotations

import io
import json
import logging
import sys
import time
import traceback
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.tap import TapGenesysAggregates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

CLIENT = "the-client"
SECRET = 'S3cr3t+of/the=client&%"q\u00e9x0123456789'
"""With every letter that base64, URLs, JSON and forms would write otherwise."""
TREE_QUERY = {
    "name": "calls",
    "group_by": ["interval", "routing.queue.id"],
    "metrics": ["conversationCount"],
    "granularity": "P1D",
}
RESULTS_QUERY = {
    "name": "calls",
    "group_by": ["queueId"],
    "metrics": ["nOffered", "tHandle"],
    "granularity": "P1D",
}
_OWN = {"extracted_at", "is_final"}


class Leaping:
    """The machine's clock, but that waiting takes no time."""

    def __init__(self) -> None:
        """Begin on 20 November 2023."""
        self._begun = time.monotonic()
        self.slept = 0.0

    def now(self) -> datetime:
        """The instant."""
        return datetime(2023, 11, 20, tzinfo=timezone.utc) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun + self.slept

    def sleep(self, seconds: float) -> None:
        """Leap."""
        self.slept += seconds


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended.

    Attributes:
        said: ``1 rows [...]``, or the kind of error and its line.
        refused: Whether it ended as the tap means to end: with rows, or with an error of its own.
        waited: Seconds that the tap would have slept.
        shown: Everything that it wrote and logged at debug level, tracebacks too.
    """

    said: str
    refused: bool
    waited: float
    shown: str


def config(origin: str, **changes: object) -> dict[str, Any]:
    """A config for one day of one query on such a host."""
    api = changes.get("api", "group_tree")
    return {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "base_url": origin,
        "api": api,
        "start_date": "2023-11-01T00:00:00Z",
        "end_date": "2023-11-02T00:00:00Z",
        "max_window": "P1D",
        "concurrency": 1,
        "requests_per_minute": 3000,
        "queries": [TREE_QUERY if api == "group_tree" else RESULTS_QUERY],
        **changes,
    }


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """All loggers at debug level, into one text."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    quiet = {
        name: logger.level
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.NOTSET)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        for name, was in quiet.items():
            logging.getLogger(name).setLevel(was)


def run(settings: Mapping[str, Any], mount: Callable[[requests.Session], None] | None = None) -> Ending:
    """Run the tap once.

    Args:
        settings: The config.
        mount: Puts another adapter under each session.

    Returns:
        How it ended.
    """
    clock, error = Leaping(), None
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with everything_logged() as log, redirect_stdout(out):
        try:
            TapGenesysAggregates(config=dict(settings), clock=clock, mount=mount).sync_all()
        except BaseException as raised:  # noqa: BLE001  # whatever ended it is the ending
            error = raised
        sys.stdout.flush()
    written = out.buffer.getvalue().decode()
    trace = "".join(traceback.format_exception(error)) if error else ""
    shown = f"{written}{log.getvalue()}{trace}{error!r}"
    if error is not None:
        return Ending(f"{type(error).__name__}: {error}", isinstance(error, TapError), clock.slept, shown)
    rows = [
        message["record"] for message in map(json.loads, written.splitlines()) if message["type"] == "RECORD"
    ]
    own = [
        {name: value for name, value in row.items() if name not in _OWN}
        for row in rows
        if "interval_start" in row
    ]
    return Ending(f"{len(own)} rows {json.dumps(own[:3])}", refused=True, waited=clock.slept, shown=shown)
