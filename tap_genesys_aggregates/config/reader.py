"""Reading one value of the config: what it must be, or one line that says so."""

from __future__ import annotations

import ipaddress
import json
import math
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from tap_genesys_aggregates.config.checks import nearest
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.periods import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tap_genesys_aggregates.config.settings_table import Setting

_YEARS = range(1970, 2200)


class Reader:
    """Reads the values of one table: the config itself, or one entry of ``queries``."""

    def __init__(self, values: Mapping[str, object], table: Mapping[str, Setting], place: str = "") -> None:
        """Take the values to read.

        Args:
            values: What the user wrote.
            table: What may be written.
            place: What to put before a name in messages: ``queries[0].``, say.
        """
        self._values = values
        self._table = table
        self._place = place

    def refuse(self, name: str, wants: str) -> SettingError:
        """The error for one setting: its name, then what it wants."""
        return SettingError(f"{self._place}{name}: {wants}")

    def unknown(self, allowed: Iterable[str] = ()) -> None:
        """Refuse names that the table does not have.

        Raises:
            SettingError: There is one; the nearest right name is given.
        """
        known = [*self._table, *allowed]
        for name in self._values:
            if name not in known:
                raise self.refuse(str(name), f"there is no such setting{nearest(str(name), known)}")

    def text(self, name: str) -> str | None:
        """A string, one of its choices where it has some."""
        value = self._value(name)
        if value is None:
            return None
        setting = self._table[name]
        if not isinstance(value, str) or not value.strip():
            raise self.refuse(name, f"it wants a text, not {_short(value, setting)}")
        if setting.choices and value not in setting.choices:
            raise self.refuse(name, f"{_short(value, setting)} is none of {', '.join(setting.choices)}")
        if any(ord(letter) < ord(" ") or "\ud800" <= letter <= "\udfff" for letter in value):
            raise self.refuse(name, "it wants whole letters on one line, without control characters")
        return value

    def needed(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            setting = self._table[name]
            also = f" or {setting.alias}" if setting.alias else ""
            where = "" if self._place else f" Set it in the config, or as {setting.variable}{also}"
            raise self.refuse(name, f"it is missing. {setting.description}{where}")
        return value

    def url(self, name: str) -> str | None:
        """An https URL; plain http only to this machine itself."""
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
            (host or "").encode("idna")  # no part of it is empty or too long
        except ValueError:
            host, parts = None, urlsplit("")
        if (
            not host
            or parts.scheme not in {"http", "https"}
            or any(letter.isspace() for letter in value)
            or "@" in parts.netloc
            or parts.query
            or parts.fragment
        ):
            raise self.refuse(
                name, "it wants a URL such as https://gateway.example.com, without user, query or fragment"
            )
        if parts.scheme == "http" and not _is_this_machine(host):
            raise self.refuse(name, "it wants https: plain http would send the secret in the clear")
        return value

    def instant(self, name: str) -> datetime | None:
        """A date-time, UTC where it names no offset."""
        value = self.text(name)
        if value is None:
            return None
        try:
            instant = instants.parse(value)
        except ValueError as error:
            raise self.refuse(name, str(error)) from None
        if instant.year not in _YEARS:
            raise self.refuse(name, f"{value!r} lies outside the years {_YEARS.start} to {_YEARS.stop - 1}")
        return instant

    def duration(self, name: str) -> Period | None:
        """An ISO 8601 duration."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return Period.parse(value)
        except ValueError as error:
            raise self.refuse(name, str(error)) from None

    def number(self, name: str) -> float | None:
        """A number within its bounds; a text that reads as one is taken too."""
        value = self._value(name)
        if value is None:
            return None
        setting = self._table[name]
        wants = (
            f"it wants a number from {setting.minimum:g} to {setting.maximum:g}, not {_short(value, setting)}"
        )
        try:
            number = math.nan if isinstance(value, bool) else float(cast("Any", value))
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (setting.minimum or 0) <= number <= (setting.maximum or math.inf):
            raise self.refuse(name, wants)
        if setting.kind == "integer" and not number.is_integer():
            raise self.refuse(name, wants.replace("a number", "a whole number"))
        return number

    def items(self, name: str) -> list[object] | None:
        """A list, or a text that holds one as JSON."""
        value = self._plain(name)
        if value is not None and not isinstance(value, list | tuple):
            raise self.refuse(name, f"it wants a list, not {_short(value, self._table[name])}")
        return None if value is None else list(value)

    def names(self, name: str) -> tuple[str, ...] | None:
        """A list of texts, none of them twice."""
        value = self.items(name)
        if value is None:
            return None
        seen: set[str] = set()
        for each in value:
            if not isinstance(each, str) or not each.strip():
                raise self.refuse(
                    name, f"it wants a list of names, and {_short(each, self._table[name])} is none"
                )
            if each in seen:
                raise self.refuse(name, f"{each!r} is in the list twice; remove one")
            seen.add(each)
        return tuple(str(each) for each in value)

    def mapping(self, name: str) -> dict[str, object] | None:
        """An object, or a text that holds one as JSON."""
        value = self._plain(name)
        if value is not None and not isinstance(value, dict):
            raise self.refuse(name, f"it wants an object, not {_short(value, self._table[name])}")
        return cast("dict[str, object] | None", value)

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self._value(name)
        if value is not None and not isinstance(value, bool):
            raise self.refuse(name, f"it wants true or false, not {_short(value, self._table[name])}")
        return value

    def _plain(self, name: str) -> object:
        """A value that an environment variable can only give as JSON text, and that can be sent as JSON."""
        value = self._value(name)
        if not isinstance(value, str):
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError):
                raise self.refuse(name, "it wants what JSON has: no NaN, and not nested so deep") from None
            return value
        try:
            return cast("object", json.loads(value))
        except (ValueError, RecursionError):
            raise self.refuse(name, "it wants JSON when it is given as text") from None

    def _value(self, name: str) -> object:
        """What the user wrote, else the default."""
        value = self._values.get(name)
        return self._table[name].default if value is None else value


def _is_this_machine(host: str) -> bool:
    """Whether a host is the loopback, by number and not by how its name begins."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _short(value: object, setting: Setting) -> str:
    """A value for a message: never a secret, never long."""
    try:
        return "this value" if setting.secret else repr(value)[:80]
    except RecursionError:
        return "a value that is nested so deep"
