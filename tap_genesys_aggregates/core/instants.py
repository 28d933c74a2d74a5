"""Instants: UTC datetimes in the code, one fixed-width text in rows, requests and state.

The text is ``YYYY-MM-DDTHH:MM:SS.mmmZ``, always 24 characters, because Singer compares bookmarks as
text.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

UTC = timezone.utc

_INSTANT = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?",
    re.ASCII,
)


def parse(text: str) -> datetime:
    """Read an ISO 8601 date-time with any offset; without an offset it is UTC.

    Args:
        text: ``2023-11-01``, ``2023-11-01T00:00:00.000Z``, ``2023-11-01T01:00+01:00`` and so on.

    Returns:
        The instant in UTC, truncated to milliseconds.

    Raises:
        ValueError: The text is not an ISO 8601 date-time, or not between the years 1 and 9999.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        msg = f"{text[:60]!r} is not an ISO 8601 date-time such as 2023-11-01T00:00:00Z"
        raise ValueError(msg)
    try:
        moment = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}").replace(tzinfo=UTC)
    except ValueError as error:
        msg = f"{text[:60]!r} is not a date-time that exists: {error}"
        raise ValueError(msg) from None
    milliseconds = int(((match["fraction"] or "") + "000")[:3])
    try:
        return moment + timedelta(milliseconds=milliseconds) - _offset(match["zone"])
    except OverflowError:
        msg = f"{text[:60]!r} is outside the years 1 to 9999"
        raise ValueError(msg) from None


def _offset(zone: str | None) -> timedelta:
    """The offset from UTC that ``Z``, ``+01``, ``+0100`` or ``+01:00`` means."""
    if zone is None or zone in "Zz":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    digits = zone[1:].replace(":", "")
    return sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))


def text(instant: datetime) -> str:
    """Write an instant as keys, bookmarks and requests have it.

    Args:
        instant: An aware datetime.

    Returns:
        24 characters, ``2023-11-01T00:00:00.000Z``.
    """
    return f"{instant.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z"


def is_instant(value: str) -> bool:
    """Whether a text reads as an ISO instant with a time of day (not a bare date).

    Args:
        value: Any text, such as the id of a group.

    Returns:
        True for a text such as ``2023-11-01T00:00:00.000Z``.
    """
    match = _INSTANT.fullmatch(value)
    if match is None or match["time"] is None:
        return False
    try:
        parse(value)
    except ValueError:
        return False
    return True
