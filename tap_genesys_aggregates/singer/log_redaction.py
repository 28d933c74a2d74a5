"""Keeps secrets out of logs: in records of any logger, whatever handlers and formatters write them."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.redaction import redact

if TYPE_CHECKING:
    from types import TracebackType

_call_handlers = logging.Logger.callHandlers
_FORMATTER = logging.Formatter()
_OF_THE_SOURCE = frozenset(
    {
        "name",
        "levelname",
        "pathname",
        "filename",
        "module",
        "funcName",
        "processName",
        "threadName",
        "taskName",
    }
)
"""Text attributes of every record that say where it comes from, not what happened."""


class RedactedError(Exception):
    """Stands for an exception whose traceback contained a secret. Its text is the redacted traceback."""


def redact_logs() -> None:
    """Redact the secrets in every record that a logger of this process passes to handlers.

    ``Logger.callHandlers`` is the only point that all records pass: of handlers that are added later, and of
    ``logging.lastResort``, too. A record factory would not see what ``extra`` adds, and filters or formatters
    belong to single handlers.
    """
    logging.Logger.callHandlers = _redact_and_call_handlers  # type: ignore[assignment,method-assign]


def print_redacted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception hook that prints the traceback as Python does, without secrets.

    Args:
        kind: Class of the exception.
        error: The exception.
        trace: Its traceback.
    """
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def redact_record(record: logging.LogRecord) -> None:
    """Redact the secrets in a log record; one without secrets stays as it is.

    Args:
        record: The record. Its message, arguments, exception and ``extra`` attributes are checked.
    """
    message, trace = _message(record), _traceback(record)
    others = {
        name: _text(value)
        for name, value in vars(record).items()
        if name not in _OF_THE_SOURCE and name != "exc_info" and not isinstance(value, int | float | None)
    }
    if not _is_secret("\n".join((message, trace, *others.values()))):
        return  # nearly always
    if _is_secret(message) or _is_secret(others.get("args", "")):
        record.msg, record.args = redact(message), ()
    if _is_secret(trace):
        # Formatters print exc_text if it is set. Those that look at the exception find the same text.
        record.exc_text = redact(trace)
        record.exc_info = (RedactedError, RedactedError(record.exc_text), None)
    for name, text in others.items():
        if name not in {"msg", "args"} and _is_secret(text):
            setattr(record, name, redact(text))


def _redact_and_call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    redact_record(record)
    _call_handlers(logger, record)


def _is_secret(text: str) -> bool:
    return redact(text) != text


def _message(record: logging.LogRecord) -> str:
    """The message of a record. One that cannot be formatted is changed to one that can.

    Otherwise a handler would fail, and print the error and the arguments on standard error.
    """
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # of whatever object is logged
        record.msg, record.args = f"{_text(record.msg)} {_text(record.args)}", ()
        return record.msg


def _traceback(record: logging.LogRecord) -> str:
    """The traceback of the exception that the record is about, if any."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return _FORMATTER.formatException(record.exc_info)


def _text(value: object) -> str:
    """A value as a formatter may print it."""
    if isinstance(value, str):
        return value
    try:
        return f"{value} {value!r}"
    except Exception:  # noqa: BLE001  # of whatever object is logged
        return f"(a {type(value).__name__} without a text)"
