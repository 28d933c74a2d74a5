"""Instants: UTC datetimes inside, one fixed-width text outside.

The text is ``YYYY-MM-DDTHH:MM:SS.mmmZ``, always 24 characters, because bookmarks are compared as
text (settings contract).
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
    """Read an ISO 8601 instant with any offset; without an offset it is UTC.

    Args:
        text: ``2023-11-01``, ``2023-11-01T00:00:00.000Z``, ``2023-11-01T01:00+01:00`` and so on.

    Returns:
        The instant in UTC, cut to milliseconds.

    Raises:
        ValueError: The text is no instant, or none between the years 1 and 9999.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        msg = f"{text!r} is no ISO 8601 date-time such as 2023-11-01T00:00:00Z"
        raise ValueError(msg)
    moment = datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}").replace(tzinfo=UTC)
    milliseconds = int(((match["fraction"] or "") + "000")[:3])
    try:
        return moment + timedelta(milliseconds=milliseconds) - _offset(match["zone"])
    except OverflowError:
        msg = f"{text!r} lies outside the years that a calendar has"
        raise ValueError(msg) from None


def _offset(zone: str | None) -> timedelta:
    """The offset from UTC that ``Z``, ``+01``, ``+0100`` or ``+01:00`` means."""
    if zone is None or zone in "Zz":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    digits = zone[1:].replace(":", "")
    return sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))


def text(instant: datetime) -> str:
    """Write an instant the way every key, bookmark and request has it.

    Args:
        instant: An aware datetime.

    Returns:
        24 characters, ``2023-11-01T00:00:00.000Z``.
    """
    return f"{instant.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z"


def is_instant(value: str) -> bool:
    """Whether a text reads as an ISO instant with a time of day (not a bare date).

    Args:
        value: The id of a node, say.

    Returns:
        True for ``2023-11-01T00:00:00.000Z`` and its like.
    """
    match = _INSTANT.fullmatch(value)
    if match is None or match["time"] is None:
        return False
    try:
        parse(value)
    except ValueError:
        return False
    return True
