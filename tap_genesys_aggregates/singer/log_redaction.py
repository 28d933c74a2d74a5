"""Keeps secrets out of logs: in any message of any library, tracebacks included."""

from __future__ import annotations

import logging

from typing_extensions import override

from tap_genesys_aggregates.core import redaction


class RedactingFormatter(logging.Formatter):
    """Wraps another formatter and redacts secrets in its output.

    A logging filter would miss tracebacks, which only the formatter renders.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        """Wrap a formatter.

        Args:
            inner: The formatter; None for the default one.
        """
        super().__init__()
        self._inner = inner or logging.Formatter()

    @override
    def format(self, record: logging.LogRecord) -> str:
        return redaction.redact(self._inner.format(record))


def redact_logs() -> None:
    """Redact secrets in everything that the root logger's handlers write."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(handler.formatter))
