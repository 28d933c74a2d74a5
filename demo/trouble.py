"""What goes wrong, in one line for the person at the terminal."""

from __future__ import annotations


class TroubleError(Exception):
    """Something that the demo cannot go on after; its text is for a person."""
