"""The error that ends the demo."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot continue. The message is shown to the user without a traceback."""
