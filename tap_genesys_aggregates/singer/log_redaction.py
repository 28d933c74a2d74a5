"""Logs without secrets: whatever is logged, by whom, with whatever traceback."""

from __future__ import annotations

import logging

from typing_extensions import override

from tap_genesys_aggregates.core import redaction


class RedactingFormatter(logging.Formatter):
    """Formats as another formatter does, and hides the secrets in what comes of it."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        """Take the formatter that does the work.

        Args:
            inner: It; None for the usual one.
        """
        super().__init__()
        self._inner = inner or logging.Formatter()

    @override
    def format(self, record: logging.LogRecord) -> str:
        return redaction.redact(self._inner.format(record))


def redact_logs() -> None:
    """Hide secrets in everything that the handlers of the root write."""
    for handler in logging.getLogger().handlers:
        if not isinstance(handler.formatter, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(handler.formatter))
