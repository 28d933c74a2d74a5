"""Answers in which anything may be anything, also what nobody could tell from the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulation.evil import Evil
from tests.simulation.spoiling import edit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

_VALUES: tuple[Any, ...] = (
    None, None, None, True, 0, 17, -1, 0.5, 1e308, 10**30, "", "many", "2026-03-02T00:00:00.000Z", "\0",
    "\ud800", "x" * 5_000, [], {}, [[]], [None], {"a": 1}, {"value": None},
)  # fmt: skip


def lie(rng: Random, _: datetime) -> Evil:
    """One place of an answer: null or something else in place of anything, left out, or there twice."""
    how = rng.choice(("null", "another value", "another value", "left out", "there twice"))
    value, share = rng.choice(_VALUES) if how == "another value" else None, rng.random()

    def change(body: Any) -> None:
        places = list(_places(body))
        if not places:
            return
        holder, key = places[int(share * len(places))]
        if how == "left out":
            del holder[key]
        elif how != "there twice":
            holder[key] = value
        elif isinstance(holder, list):
            holder.append(holder[key])

    return Evil(f"lie: {how}", edit("lie", change, any_status=True))


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a JSON: what holds it, and its key there."""
    waiting = [body]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
