"""Reading single values of the config, with an error message if a value is wrong."""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.periods import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_genesys_aggregates.config.settings_table import Setting

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LENGTH = re.compile(r"(\d*) *(minute|min|hour|h|day|d|week|w|month)s?")
_UNITS = {"minute": "PT{}M", "min": "PT{}M", "hour": "PT{}H", "h": "PT{}H", "day": "P{}D", "d": "P{}D"}
_UNITS |= {"week": "P{}W", "w": "P{}W", "month": "P{}M"}
_COMMON = {"hourly": "PT1H", "daily": "P1D", "weekly": "P1W", "monthly": "P1M"}
_YEARS = range(1970, 2200)
_MAX_DEPTH = 100
"""Levels of nesting: far more than a filter needs, far fewer than the stack of any Python allows."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """The known name closest to an unknown one, for the end of a message.

    Args:
        name: The unknown name.
        known: The names that may have been meant.

    Returns:
        ``; did you mean 'x'?``, or nothing if no name is similar.
    """
    folded = {each.lower(): each for each in known}
    match = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[match[0]]!r}?" if match else ""


class Reader:
    """Reads the values of the config itself, or of one entry of ``queries``.

    Each method reads one value by its name. It returns None if there is neither a value nor a default, and
    raises a ``SettingError`` if the value is wrong.
    """

    def __init__(self, values: Mapping[str, object], table: Mapping[str, Setting], prefix: str = "") -> None:
        """Create a reader.

        Args:
            values: What the user wrote.
            table: The settings or fields that exist.
            prefix: What precedes a name in messages, such as ``queries[0].``.
        """
        self._values = values
        self._table = table
        self._prefix = prefix

    def error(self, name: str, problem: str, advice: str = "") -> SettingError:
        """The error for a setting: its name, followed by what is wrong with it, and what to do."""
        return SettingError(f"{self._prefix}{name} {problem}", advice)

    def missing(self, name: str) -> SettingError:
        """The error for a required setting that is not set."""
        setting = self._table[name]
        variables = " or ".join(each for each in (setting.variable, setting.alias) if each)
        advice = "" if self._prefix else f"Set it in the config or as environment variable {variables}"
        return SettingError(f"{self._prefix}{name} is required", f"{setting.description} {advice}".rstrip())

    def refuse_unknown(self, allowed: Iterable[str] = ()) -> None:
        """Refuse names that are not in the table.

        Args:
            allowed: Further names that exist.

        Raises:
            SettingError: A name does not exist; the message suggests a similar one.
        """
        known = [*self._table, *allowed]
        for name in self._values:
            if name not in known:
                kind = "field of a query" if self._prefix else "setting"
                raise self.error(str(name), f"is not a known {kind}{suggestion(str(name), known)}")

    def text(self, name: str) -> str | None:
        """A string; if the setting has choices, one of them."""
        value = self._value(name)
        if value is None:
            return None
        setting = self._table[name]
        if not isinstance(value, str) or not value.strip():
            raise self.error(name, f"must be a non-empty string, not {_shown(value, setting)}")
        if setting.choices and value not in setting.choices:
            choices, hint = ", ".join(setting.choices), suggestion(value, setting.choices)
            raise self.error(name, f"must be one of {choices}, not {_shown(value, setting)}{hint}")
        if any(ord(letter) < ord(" ") or "\ud800" <= letter <= "\udfff" for letter in value):
            raise self.error(name, "must be one line of text, without control characters")
        return value

    def required(self, name: str) -> str:
        """A string that must be set."""
        value = self.text(name)
        if value is None:
            raise self.missing(name)
        return value

    def url(self, name: str) -> str | None:
        """An https URL; plain http is accepted for this machine only."""
        value = self.text(name)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
            (host or "").encode("idna")  # refuses labels that are empty or too long
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
            raise self.error(
                name, "must be a URL such as https://gateway.example.com, without user, query or fragment"
            )
        if parts.scheme == "http" and not is_this_machine(host):
            raise self.error(name, "must use https: plain http would send the client secret unencrypted")
        return value

    def instant(self, name: str) -> datetime | None:
        """A date-time; UTC if it has no offset, and midnight if it has no time."""
        value = self._date_text(name)
        if value is None:
            return None
        try:
            instant = instants.parse(value)
        except ValueError as error:
            raise self.error(name, str(error)) from None
        if instant.year not in _YEARS:
            raise self.error(name, f"{value!r} is outside the years {_YEARS.start} to {_YEARS.stop - 1}")
        return instant

    def date(self, name: str) -> date | None:
        """A date without a time."""
        value = self._date_text(name)
        if value is None:
            return None
        try:
            found = date.fromisoformat(value) if _DATE.fullmatch(value) else None
        except ValueError:
            found = None
        if found is None or found.year not in _YEARS:
            raise self.error(name, f"must be a date such as 1970-01-05, not {value[:40]!r}")
        return found

    def duration(self, name: str) -> Period | None:
        """An ISO 8601 duration."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return Period.parse(value)
        except ValueError as error:
            raise self.error(name, f"{error}{_duration_meant(value)}") from None

    def number(self, name: str) -> float | None:
        """A number within the bounds of the setting; text is converted."""
        value = self._value(name)
        if value is None:
            return None
        setting = self._table[name]
        kind = "a whole number" if setting.kind == "integer" else "a number"
        bounds = f"from {setting.minimum:g} to {setting.maximum:g}"
        problem = f"must be {kind} {bounds}, not {_shown(value, setting)}"
        try:
            number = math.nan if isinstance(value, bool) else float(cast("Any", value))
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not (setting.minimum or 0) <= number <= (setting.maximum or math.inf):
            raise self.error(name, problem)
        if setting.kind == "integer" and not number.is_integer():
            raise self.error(name, problem)
        return number

    def items(self, name: str) -> list[object] | None:
        """A list, or text that contains one as JSON; any other text counts as a list of one."""
        value = self._value(name)
        if isinstance(value, str) and value.strip() and value.strip()[0] not in "[{":
            value = [value.strip()]
        else:
            value = self._json(name)
        if value is not None and not isinstance(value, list | tuple):
            raise self.error(name, f"must be a list, not {_shown(value, self._table[name])}")
        return None if value is None else list(value)

    def names(self, name: str) -> tuple[str, ...] | None:
        """A list of distinct names."""
        value = self.items(name)
        if value is None:
            return None
        seen: set[str] = set()
        for each in value:
            if not isinstance(each, str) or not each.strip():
                raise self.error(
                    name, f"must be a list of names, but contains {_shown(each, self._table[name])}"
                )
            if len(each.split()) > 1 or "," in each:
                names = ", ".join(re.split(r"[,\s]+", each.strip(", ")))
                raise self.error(name, f"must be a list of names; did you mean [{names[:80]}]?")
            if each in seen:
                raise self.error(name, f"contains {each!r} twice; remove one")
            seen.add(each)
        return tuple(str(each) for each in value)

    def mapping(self, name: str) -> dict[str, object] | None:
        """An object, or text that contains one as JSON."""
        value = self._json(name)
        if value is not None and not isinstance(value, dict):
            raise self.error(name, f"must be an object, not {_shown(value, self._table[name])}")
        return cast("dict[str, object] | None", value)

    def boolean(self, name: str) -> bool | None:
        """True or false; also as text, as a variable has it."""
        value = self._value(name)
        if isinstance(value, str):
            value = {"true": True, "false": False}.get(value.lower(), value)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, f"must be true or false, not {_shown(value, self._table[name])}")
        return value

    def _date_text(self, name: str) -> str | None:
        """A date or a date-time as text; YAML and Python have types of their own for them."""
        value = self._value(name)
        if isinstance(value, date):  # a datetime is one, too
            return value.isoformat()
        if value is not None and not isinstance(value, str):
            shown = _shown(value, self._table[name])
            raise self.error(name, f"must be a string such as '2025-01-01', not {shown}")
        return self.text(name)

    def _json(self, name: str) -> object:
        """A value that can be sent as JSON; given as text, as in an environment variable, it is parsed."""
        value = self._value(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise self.error(name, "must be valid JSON if it is given as text") from None
        try:
            as_text = json.dumps(value, allow_nan=False, default=_date_as_text)
        except (TypeError, ValueError, RecursionError):
            raise self.error(name, "must be valid JSON, without NaN and not nested too deeply") from None
        if _is_deeper(value, _MAX_DEPTH):
            raise self.error(name, f"must not be nested deeper than {_MAX_DEPTH} levels")
        return json.loads(as_text)

    def _value(self, name: str) -> object:
        """What the user wrote, or the default."""
        value = self._values.get(name)
        return self._table[name].default if value is None else value


def _date_as_text(value: object) -> str:
    """A date of YAML as JSON has it."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are nested in more levels than these."""
    level = [value]
    for _ in range(levels + 1):
        level = [
            each
            for nested in level
            if isinstance(nested, dict | list | tuple)
            for each in (nested.values() if isinstance(nested, dict) else nested)
        ]
    return bool(level)


def _duration_meant(text: str) -> str:
    """The duration meant by words such as ``15 minutes``, for the end of a message."""
    word = text.strip().lower()
    match = _LENGTH.fullmatch(word)
    meant = _UNITS[match[2]].format(match[1] or 1) if match else _COMMON.get(word)
    return f"; did you mean {meant!r}?" if meant else ""


def is_this_machine(host: str) -> bool:
    """Whether a host is the loopback address; names that merely begin like one are not.

    Args:
        host: A host name or an IP address, in lower case.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown(value: object, setting: Setting) -> str:
    """A value as shown in a message: shortened, and never a secret."""
    try:
        return "this value" if setting.secret else repr(value)[:80]
    except RecursionError:
        return "a deeply nested value"
