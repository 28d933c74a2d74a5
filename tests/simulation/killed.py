"""The end that no handler stops."""

from __future__ import annotations


class Killed(BaseException):
    """The machine was switched off: no handler may stop this."""
