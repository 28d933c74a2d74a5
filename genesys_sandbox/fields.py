"""Reading a request body field by field, with the platform's refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping


def record(value: object, name: str) -> Mapping[str, object]:
    """An object."""
    if not isinstance(value, dict):
        refuse("{field} must be an object", field=name)
    return value


def records(body: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    """A list of objects; empty when it is missing or null."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        refuse("{field} must be a list", field=name)
    return [record(item, name) for item in value]


def texts(body: Mapping[str, object], name: str) -> tuple[str, ...]:
    """A list of strings; empty when it is missing or null."""
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        refuse("{field} must be a list of strings", field=name)
    return tuple(value)


def text(body: Mapping[str, object], name: str, default: str | None = None) -> str:
    """A string; required where there is no default."""
    value = body.get(name, default)
    if value is None:
        value = default
    if not isinstance(value, str):
        refuse("{field} is required and must be a string", field=name)
    return value


def number(body: Mapping[str, object], name: str, default: int, most: int) -> int:
    """A whole number between one and a ceiling."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        refuse("{field} must be between 1 and {most}", "invalid.value", field=name, most=most)
    return value


def known(names: tuple[str, ...], allowed: frozenset[str] | tuple[str, ...], what: str) -> tuple[str, ...]:
    """The names themselves, if the family knows them all."""
    for name in names:
        if name not in allowed:
            refuse("{what} {name} is not known here", what=what, name=name)
    return names


def zone(body: Mapping[str, object]) -> ZoneInfo:
    """The time zone asked for, UTC by default."""
    name = text(body, "timeZone", "UTC")
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # an unknown name is a KeyError
        refuse("Invalid time zone: {zone}", "invalid.value", zone=name)
