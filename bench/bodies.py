"""Answers of both contracts, encoded once for a day; other days differ only in their dates.

Every day holds ``groups`` groups of ``buckets`` buckets: one row each, with all of its metrics.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from bench.asking import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.asking import Api

BUCKETS = 48
_AROUND: dict[Api, tuple[bytes, bytes]] = {
    "results": (b'{"results":[', b"]}"),
    "group_tree": (b'{"entities":[', b'],"pageNumber":1,"links":{"next":null}}'),
}
_TODAY, _TOMORROW = b"2000-01-01", b"2000-01-02"
_ASKED = re.compile(
    rb'"(?:interval|dateFrom)":\s*"(\d{4}-\d\d-\d\d)T[^"/]*(?:/|",\s*"dateTo":\s*")(\d{4}-\d\d-\d\d)T'
)


@dataclass(frozen=True)
class Bodies:
    """The answers of one contract."""

    api: Api
    day: bytes

    @classmethod
    def of(cls, api: Api, groups: int, buckets: int = BUCKETS) -> Bodies:
        """Encode a day.

        Args:
            api: The contract.
            groups: How many groups it holds.
            buckets: How many buckets each of them has; 48 fill the day.
        """
        chance = random.Random(1)  # noqa: S311  # believable numbers, the same in every run
        make = _result if api == "results" else _entity
        return cls(
            api, msgspec.json.encode([make(number, buckets, chance) for number in range(groups)])[1:-1]
        )

    def answer(self, asked: bytes) -> bytes:
        """The answer to a request's body: every day of the interval that it asks for."""
        match = _ASKED.search(asked)
        if match is None:
            raise ValueError(f"no interval in {asked[:300]!r}")
        start, end = (date.fromisoformat(text.decode()) for text in match.groups())
        days = (start + timedelta(days=number) for number in range((end - start).days))
        head, tail = _AROUND[self.api]
        return head + b",".join(self._dated(day) for day in days) + tail

    def _dated(self, day: date) -> bytes:
        following = day + timedelta(days=1)
        body = self.day.replace(_TOMORROW, following.isoformat().encode())
        return body.replace(_TODAY, day.isoformat().encode())


def _instants(buckets: int) -> Iterator[tuple[str, str]]:
    """Start and end of half hours from midnight."""
    marks = [f"{_TODAY.decode()}T{half // 2:02d}:{half % 2 * 30:02d}:00.000Z" for half in range(48)]
    marks.append(f"{_TOMORROW.decode()}T00:00:00.000Z")
    return islice(pairwise(marks), buckets)


def _result(number: int, buckets: int, chance: random.Random) -> dict[str, Any]:
    """One group of the results contract."""
    group = {"queueId": _identifier(number), "mediaType": ("voice", "chat")[number % 2]}
    data = [
        {"interval": f"{start}/{end}", "metrics": [_metric(name, chance) for name in METRICS["results"]]}
        for start, end in _instants(buckets)
    ]
    return {"group": group, "data": data}


def _metric(name: str, chance: random.Random) -> dict[str, Any]:
    count = chance.randint(1, 60)
    if name.startswith("n"):
        return {"metric": name, "stats": {"count": count}}
    least, most = chance.randint(900, 60_000), chance.randint(60_000, 900_000)
    stats = {
        "max": float(most),
        "min": float(least),
        "count": count,
        "sum": float(count * (least + most) // 2),
    }
    return {"metric": name, "stats": stats}


def _entity(number: int, buckets: int, chance: random.Random) -> dict[str, Any]:
    """One entity of the group-tree contract, with a leaf for each bucket."""
    groups = [{"id": start, "metrics": _values(chance), "groups": []} for start, _ in _instants(buckets)]
    return {"id": _identifier(number), "metrics": _values(chance), "groups": groups}


def _values(chance: random.Random) -> dict[str, Any]:
    return {name: {"value": chance.randint(1, 1_000_000)} for name in METRICS["group_tree"]}


def _identifier(number: int) -> str:
    """An id like those of the platform."""
    return f"{number:08x}-5a1e-4c3b-9d70-{number * 7919:012x}"
