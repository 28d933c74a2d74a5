"""The marts, worked out from the sandbox's own books by the formulas of ``docs/kpis.md``, without SQL."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timezone
from importlib import resources
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from tests.pipeline.running import Row

Number = float | int | None

ON_QUEUE = ("INTERACTING", "COMMUNICATING", "IDLE", "NOT_RESPONDING")


def recorded_week() -> dict[str, Row]:
    """The real sample week: queue → its numbers, under the names of the tap's columns."""
    source = resources.files("genesys_sandbox") / "data" / "results-voice-week.json"
    found = {}
    for each in json.loads(source.read_text(encoding="utf-8"))["results"]:
        numbers = {
            f"{_snake(metric['metric'])}_{statistic}": value
            for metric in each["data"][0]["metrics"]
            for statistic, value in metric["stats"].items()
        }
        found[each["group"]["queueId"]] = numbers
    return found


def local_day(row: Mapping[str, Any], zone: str) -> date:
    start = datetime.fromisoformat(str(row["interval_start"]).replace("Z", "+00:00"))
    return start.replace(tzinfo=timezone.utc).astimezone(ZoneInfo(zone)).date()


def queue_measures(rows: Iterable[Mapping[str, Any]]) -> dict[str, Number]:
    """The measures of one queue over some rows."""
    total = _Total(rows)
    offered, connected = total("n_offered_count"), total("n_connected_count")
    return {
        "offered": offered,
        "answered": total("t_answered_count"),
        "abandoned": total("t_abandon_count"),
        "short_abandoned": total("t_short_abandon_count"),
        "flowed_out": total("t_flow_out_count"),
        "handled": total("t_handle_count"),
        "transferred": total("n_transferred_count"),
        "service_level_target": total.highest("o_service_level_target"),
        "answer_rate": _quotient(total("t_answered_count"), offered),
        "abandon_rate": _quotient(total("t_abandon_count"), offered),
        "flow_out_rate": _quotient(total("t_flow_out_count"), offered),
        "service_level": _quotient(total("o_service_level_numerator"), total("o_service_level_denominator")),
        "average_speed_of_answer_seconds": total.average("t_answered"),
        "average_wait_seconds": total.average("t_wait"),
        "average_handle_seconds": total.average("t_handle"),
        "average_talk_seconds": total.average("t_talk_complete"),
        "average_hold_seconds": total.average("t_held_complete"),
        "average_after_call_work_seconds": total.average("t_acw"),
        "transfer_rate": _quotient(total("n_transferred_count"), connected),
    }


def agent_measures(
    work: Iterable[Mapping[str, Any]], status: Iterable[Mapping[str, Any]]
) -> dict[str, Number]:
    """The measures of one agent over some rows of both presets."""
    total = _Total(work)
    seconds = dict.fromkeys(ON_QUEUE, 0.0)
    for row in status:
        if row["t_agent_routing_status_sum"] is not None and row["qualifier"] in seconds:
            seconds[row["qualifier"]] += row["t_agent_routing_status_sum"] / 1000
    interacting, communicating, idle, not_responding = (seconds[name] for name in ON_QUEUE)
    on_queue = interacting + communicating + idle + not_responding
    return {
        "handled": total("t_handle_count"),
        "answered": total("t_answered_count"),
        "transferred": total("n_transferred_count"),
        "average_handle_seconds": total.average("t_handle"),
        "average_talk_seconds": total.average("t_talk_complete"),
        "average_hold_seconds": total.average("t_held_complete"),
        "average_after_call_work_seconds": total.average("t_acw"),
        "transfer_rate": _quotient(total("n_transferred_count"), total("n_connected_count")),
        "on_queue_seconds": on_queue,
        "occupancy": _quotient(interacting, interacting + communicating + idle),
        "interactions_per_on_queue_hour": _quotient(total("t_handle_count") * 3600, on_queue),
    }


def grouped(rows: Iterable[Row], zone: str, *columns: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns and the local day."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        key = (*(row[name] for name in columns), local_day(row, zone))
        found[key].append(row)
    return dict(found)


class _Total:
    """Sums of columns; what did not happen counts as 0."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = list(rows)

    def __call__(self, column: str) -> float:
        return sum(row.get(column) or 0 for row in self._rows)

    def average(self, metric: str) -> float | None:
        quotient = _quotient(self(f"{metric}_sum"), self(f"{metric}_count"))
        return None if quotient is None else quotient / 1000

    def highest(self, column: str) -> float | None:
        return max((row[column] for row in self._rows if row.get(column) is not None), default=None)


def _quotient(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def _snake(metric: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in metric)
