"""The error that ends a report."""

from __future__ import annotations


class ReportError(Exception):
    """The page cannot be made. The message is one line, says what to do, and contains no password."""
