"""Responses of both APIs. One day is encoded in advance; all other days differ only in their dates.

Each day has ``groups`` groups with ``buckets`` buckets each. A bucket becomes one row with all metrics. A
query that asks for no buckets, as when settled months are checked, gets one row for each group.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from bench.query import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.query import Api

BUCKETS = 48
_ENVELOPES: dict[Api, tuple[bytes, bytes]] = {
    "results": (b'{"results":[', b"]}"),
    "group_tree": (b'{"entities":[', b'],"pageNumber":1,"links":{"next":null}}'),
}
_TODAY, _TOMORROW = b"2000-01-01", b"2000-01-02"
_MIDNIGHT, _NEXT_MIDNIGHT = "2000-01-01T00:00:00.000Z", "2000-01-02T00:00:00.000Z"
_INTERVAL = re.compile(
    rb'"(?:interval|dateFrom)":\s*"(\d{4}-\d\d-\d\d)T[^"/]*(?:/|",\s*"dateTo":\s*")(\d{4}-\d\d-\d\d)T'
)


@dataclass(frozen=True)
class Responses:
    """The responses of one API."""

    api: Api
    day: bytes
    whole: bytes

    @classmethod
    def encode(cls, api: Api, groups: int, buckets: int = BUCKETS) -> Responses:
        """Encode a day.

        Args:
            api: The API.
            groups: Number of groups.
            buckets: Number of buckets in each group; 48 fill the day.
        """
        generator = random.Random(1)  # noqa: S311  # realistic numbers, the same in every run
        make = _result if api == "results" else _entity
        day, whole = (
            msgspec.json.encode([make(number, instants, generator) for number in range(groups)])[1:-1]
            for instants in (_instants(buckets), [(_MIDNIGHT, _NEXT_MIDNIGHT)])
        )
        return cls(api, day, whole)

    def for_request(self, request: bytes) -> bytes:
        """Return the response to the body of a request: every day of the interval that it asks for."""
        match = _INTERVAL.search(request)
        if match is None:
            raise ValueError(f"The request has no interval: {request[:300]!r}")
        head, tail = _ENVELOPES[self.api]
        query = json.loads(request)
        if "granularity" not in query and "interval" not in query["groupBy"]:
            first, last = match.groups()
            return head + self.whole.replace(_TOMORROW, last).replace(_TODAY, first) + tail
        start, end = (date.fromisoformat(text.decode()) for text in match.groups())
        days = (start + timedelta(days=number) for number in range((end - start).days))
        return head + b",".join(self._dated(day) for day in days) + tail

    def _dated(self, day: date) -> bytes:
        following = day + timedelta(days=1)
        body = self.day.replace(_TOMORROW, following.isoformat().encode())
        return body.replace(_TODAY, day.isoformat().encode())


def _instants(buckets: int) -> list[tuple[str, str]]:
    """Start and end of each half hour from midnight."""
    marks = [f"{_TODAY.decode()}T{half // 2:02d}:{half % 2 * 30:02d}:00.000Z" for half in range(48)]
    marks.append(_NEXT_MIDNIGHT)
    return list(islice(pairwise(marks), buckets))


def _result(number: int, instants: Sequence[tuple[str, str]], generator: random.Random) -> dict[str, Any]:
    """Return one group of the results API."""
    group = {"queueId": _identifier(number), "mediaType": ("voice", "chat")[number % 2]}
    data = [
        {"interval": f"{start}/{end}", "metrics": [_metric(name, generator) for name in METRICS["results"]]}
        for start, end in instants
    ]
    return {"group": group, "data": data}


def _metric(name: str, generator: random.Random) -> dict[str, Any]:
    count = generator.randint(1, 60)
    if name.startswith("n"):
        return {"metric": name, "stats": {"count": count}}
    lowest, highest = generator.randint(900, 60_000), generator.randint(60_000, 900_000)
    stats = {
        "max": float(highest),
        "min": float(lowest),
        "count": count,
        "sum": float(count * (lowest + highest) // 2),
    }
    return {"metric": name, "stats": stats}


def _entity(number: int, instants: Sequence[tuple[str, str]], generator: random.Random) -> dict[str, Any]:
    """Return one entity of the group-tree API, with a leaf for each bucket; without, if there is only one."""
    starts = [start for start, _ in instants] if len(instants) > 1 else []
    groups = [{"id": start, "metrics": _values(generator), "groups": []} for start in starts]
    return {"id": _identifier(number), "metrics": _values(generator), "groups": groups}


def _values(generator: random.Random) -> dict[str, Any]:
    return {name: {"value": generator.randint(1, 1_000_000)} for name in METRICS["group_tree"]}


def _identifier(number: int) -> str:
    """Return an id that looks like one of Genesys Cloud."""
    return f"{number:08x}-5a1e-4c3b-9d70-{number * 7919:012x}"
