"""What the witness reads from a query entry: its filter, its dimensions, the values it adds up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genesys_sandbox.contract import TARGET, Kind, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from genesys_sandbox.facts import Event
    from genesys_sandbox.witness_rows import Found


@dataclass(slots=True)
class Values:
    """All that was measured for one metric in one row: numbers, totals, least and greatest values."""

    number: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    greatest: list[float] = field(default_factory=list)

    def note(self, number: float, total: float, least: float, greatest: float) -> None:
        """Write one measurement, or one group of them, down."""
        self.number.append(number)
        self.total.append(total)
        self.least.append(least)
        self.greatest.append(greatest)

    def note_one(self, event: Event) -> None:
        """Write one fact down."""
        self.note(1, event.value, event.value, event.value)

    def note_all(self, stats: Mapping[str, float]) -> None:
        """Write down what was added up elsewhere."""
        number = stats.get("denominator", stats.get("count", 0))
        total = stats.get("numerator", stats.get("sum", number))
        self.note(number, total, stats.get("min", 0), stats.get("max", 0))

    def statistics(self, metric: str) -> dict[str, float]:
        """The statistics of a metric, by their name in the API."""
        number, total = sum(self.number), sum(self.total)
        what = kind(metric)
        if what is Kind.COUNT:
            return {"count": total}
        if what is Kind.RATIO:
            return {"ratio": total / number, "numerator": total, "denominator": number, "target": TARGET}
        return {"count": number, "sum": total, "min": min(self.least), "max": max(self.greatest)}


def wide_statistics(metric: str) -> tuple[str, ...]:
    """Which statistics have a column for a metric in the wide shape."""
    if metric == "oServiceLevel":
        return ("ratio", "numerator", "denominator", "target")
    additive = ("count", "sum", "min", "max")
    return {
        "n": additive[:1],
        "t": additive,
        "o": (*additive, "ratio", "numerator", "denominator", "target"),
    }[metric[0]]


def passes(clause: Mapping[str, Any], value: Callable[[str], str | None]) -> bool:
    """Whether a fact passes a filter clause of either contract."""
    inner = [*(clause.get("clauses") or ()), *(clause.get("predicates") or ())]
    if not inner:
        return True
    verdicts = [_holds(entry, value) if "dimension" in entry else passes(entry, value) for entry in inner]
    return any(verdicts) if clause["type"] == "or" else all(verdicts)


def _holds(predicate: Mapping[str, Any], value: Callable[[str], str | None]) -> bool:
    actual = value(predicate["dimension"])
    return {
        "exists": actual is not None,
        "notExists": actual is None,
        "notEquals": actual != predicate.get("value"),
    }.get(predicate.get("operator", "matches"), actual == predicate.get("value"))


def top_groups(found: Found, query: Mapping[str, Any]) -> Found:
    """Only the rows of the groups that a topN or bottomN query keeps, ranked over the whole period."""
    sort = query["sort_metric"]
    measured: dict[tuple[str, ...], Values] = {}
    for (_, group, _), row in found.items():
        for values in [row[sort["name"]]] if sort["name"] in row else []:
            for portion in zip(values.number, values.total, values.least, values.greatest, strict=True):
                measured.setdefault(group, Values()).note(*portion)
    ranks = {group: _rank(values, sort) for group, values in measured.items()}
    sign = -1 if query["query_type"] == "topN" else 1
    groups = sorted({group for _, group, _ in found})
    groups.sort(key=lambda group: sign * ranks[group] if group in ranks else float("inf"))
    kept = set(groups[: query.get("limit") or 10])
    return {key: row for key, row in found.items() if key[1] in kept}


def _rank(values: Values, sort: Mapping[str, str]) -> float:
    if sort["name"][0] == "n":
        return sum(values.total)
    return {
        "count": sum(values.number),
        "sum": sum(values.total),
        "min": min(values.least),
        "max": max(values.greatest),
    }[sort.get("function", "count")]
