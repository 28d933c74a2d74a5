"""What the tap refuses to do, said so that the reader can act on it."""

from __future__ import annotations

from typing_extensions import override

from tap_genesys_aggregates.core.redaction import redact

_LONGEST = 4_000


class TapError(Exception):
    """Anything that stops a run on purpose.

    ``str(error)`` is one line: what happened, then what to do about it. It never holds a secret that
    ``core/redaction.py`` was told of, nor a response body at length.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        """Say what happened and what to do.

        Args:
            what: What happened, naming the query and the window where there is one.
            advice: What to do about it: the setting, the permission, the line of config.
        """
        self.what = redact(what[:_LONGEST])
        self.advice = redact(advice[:_LONGEST])
        super().__init__(self.what, self.advice)

    @override
    def __str__(self) -> str:
        """The one line that a user reads, without control characters that a server may have sent."""
        text = f"{self.what.rstrip('.')}. {self.advice}" if self.advice else self.what
        shown = "".join(letter if letter.isprintable() else " " for letter in text)
        return " ".join(shown.split())

    def within(self, place: str) -> TapError:
        """The same error, told with its place (``query 'x', window a/b``), unless it has one.

        Args:
            place: Where it happened.

        Returns:
            This error, changed.
        """
        if not self.what.startswith("query "):
            self.what = f"{place}: {self.what}"
        return self


class SettingError(TapError):
    """A setting is wrong: the message names it and says what it wants."""


class UnforeseenError(TapError):
    """An answer holds something that the query's table has no column for.

    Loading the rest would drop it in silence, so the run stops with the line of config that
    makes room for it.
    """


class UnreadableError(TapError):
    """An answer is not what the contract says it looks like: cut, garbled, or another thing."""
