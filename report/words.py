"""Numbers and dates as people read them, and the titles, which say what there is to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from report.queries import Numbers, Period, Row

MISSING = "–"  # noqa: RUF001  # a dash as wide as a digit
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MAX_TEXT = 300
_WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Fri": "Friday",
    "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip


def count(number: float | None) -> str:
    return MISSING if number is None else f"{number:,.0f}"


def few(number: float) -> str:
    """An average, with a decimal unless it is large."""
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:,.1f}"  # noqa: PLR2004  # three digits


def share(number: float | None) -> str:
    return MISSING if number is None else f"{number:.1%}"


def duration(seconds: float | None) -> str:
    """Text such as ``42s``, ``4m 05s`` or ``1h 02m``."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m {whole % _MINUTE:02}s"
    return f"{whole // _HOUR:,}h {whole % _HOUR // _MINUTE:02}m"


def age(seconds: float) -> str:
    if seconds < 2 * _HOUR:
        return plural(max(0, round(seconds / _MINUTE)), "minute")
    return (
        plural(round(seconds / _HOUR), "hour") if seconds < 2 * _DAY else plural(round(seconds / _DAY), "day")
    )


def age_of(value: datetime | None, now: datetime, *, ago: str = "") -> str:
    return MISSING if value is None else age((now - value).total_seconds()) + ago


def last_run(row: Row, now: datetime) -> str:
    """How the last run ended, and how long ago."""
    status = row["last_run_status"]
    return MISSING if status is None else f"{status}, {age_of(row['last_run_at'], now, ago=' ago')}"


def shortened(text: str | None) -> str:
    """A message that does not fill the page; the warehouse has all of it."""
    if not text:
        return MISSING
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def plural(number: float, noun: str, nouns: str = "") -> str:
    return f"{number:,.0f} {noun if number == 1 else nouns or noun + 's'}"


def day(value: date) -> str:
    return f"{value:%a} {value.day} {value:%b %Y}"


def instant(value: datetime | None) -> str:
    return MISSING if value is None else f"{value.day} {value:%b %Y, %H:%M} UTC"


def period(value: Period) -> str:
    if value.first == value.last:
        return day(value.first)
    return f"{day(value.first)} to {day(value.last)}"


def target(row: Row) -> str:
    """The service level's target, or the lowest and the highest if there are several."""
    low, high = row["lowest_target"], row["highest_target"]
    if low is None:
        return MISSING
    return f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"


def against_target(row: Row) -> str:
    """How a service level compares with its target; several targets cannot be compared with."""
    level, low, high = row["service_level"], row["lowest_target"], row["highest_target"]
    if level is None or low is None or low != high:
        return f"target {target(row)}"
    points = abs(round(level * 100, 1) - round(low * 100, 1))
    return f"target {low:.0%}: " + ("met" if level >= low else f"missed by {points:.1f} points")


def profile_title(rows: list[Row]) -> str:
    peak = max(rows, key=lambda row: row["offered"])
    return f"Offered peaks at {peak['start']}: {few(peak['offered'])} conversations"


def heat_title(rows: list[Row]) -> str:
    peak = max(rows, key=lambda row: row["offered"])
    return f"{peak['queue']} is busiest on {_WEEKDAYS[peak['weekday']]} at {peak['half_hour']}"


def queue_peak(rows: list[Row]) -> str:
    peak = max(rows, key=lambda row: row["offered"])
    return f"most on {_WEEKDAYS[peak['weekday']]} at {peak['half_hour']}: {few(peak['offered'])}"


def service_level_title(numbers: Numbers) -> str:
    """How many queues meet their targets, and which is furthest from it."""
    gaps = [
        (row["service_level"] - row["highest_target"], row)
        for row in numbers.queues
        if row["service_level"] is not None and row["highest_target"] is not None
    ]
    if not gaps:
        return "No queue has a service level target"
    met = sum(gap >= 0 for gap, _ in gaps)
    gap, worst = min(gaps, key=lambda each: each[0])
    title = f"{met} of {plural(len(gaps), 'queue')} met the service level target"
    return (
        title
        if gap >= 0
        else f"{title}; {worst['queue']} is furthest off, with {share(worst['service_level'])}"
    )


def status_title(rows: list[Row]) -> str:
    """About all agents, also those that are not drawn."""
    return f"Agents spent {share(rows[0]['interacting_share_of_all'])} of their time interacting"


def quality_title(rows: list[Row]) -> str:
    """Whether anything is missing. Where the number of missing windows is null, it was not checked."""
    gaps = sum(row["gaps"] for row in rows)
    missing = sum(row["missing_windows"] or 0 for row in rows)
    found = [
        plural(number, noun) for number, noun in ((gaps, "gap"), (missing, "incomplete window")) if number
    ]
    if found:
        return f"Data is missing: {' and '.join(found)}"
    checked = sum(row["missing_windows"] is not None for row in rows)
    if checked < len(rows):
        return f"No gaps; rows were counted for {checked} of {plural(len(rows), 'query', 'queries')}"
    return "The data is complete: no gaps, and no window lacks rows" if rows else "Nothing is loaded"
