"""Errors that stop a run, with messages that say what to do."""

from __future__ import annotations

from typing_extensions import override

from tap_genesys_aggregates.core.redaction import redact

_MAX_LENGTH = 4_000
_UNREADABLE = "Check base_url and try again later; if it keeps happening, report it to the server's owner"


class TapError(Exception):
    """An error that ends a stream on purpose, and that the user can act on.

    The other streams go on, unless ``stops_run`` says that they would fail likewise: the token was
    refused, say, or the host cannot be reached.

    ``str(error)`` is one line: what happened, then what to do about it. It never contains a secret that
    ``core/redaction.py`` knows, nor a long stretch of a response body.
    """

    stops_run = False

    def __init__(self, what: str, advice: str = "") -> None:
        """Create the error.

        Args:
            what: What happened, with the query and the window if there is one.
            advice: What to do about it: the setting, the permission, the line of config.
        """
        self.what = redact(what[:_MAX_LENGTH])
        self.advice = redact(advice[:_MAX_LENGTH])
        super().__init__(self.what, self.advice)

    @override
    def __str__(self) -> str:
        """The message on one line, without control characters that a server may have sent."""
        text = f"{self.what.rstrip('.')}. {self.advice}" if self.advice else self.what
        shown = "".join(letter if letter.isprintable() else " " for letter in text)
        return " ".join(shown.split())

    def within(self, place: str) -> TapError:
        """Put the place (``query 'x', window a/b``) in front of the message.

        A message that names only the query gets the rest of the place; one that names more stays as it is.

        Args:
            place: Where it happened.

        Returns:
            This error itself, changed.
        """
        query, _, _ = place.partition(", ")
        if self.what.startswith(f"{query}: "):
            self.what = f"{place}{self.what[len(query) :]}"
        elif not self.what.startswith("query "):
            self.what = f"{place}: {self.what}"
        return self


class SettingError(TapError):
    """A setting is wrong. The message names the setting and says what it must be."""


class UnforeseenError(TapError):
    """A response contains something that the query's table has no column for.

    Loading the rest would silently lose data, so the run stops; the message gives the line of config
    that adds the column.
    """


class UnreadableError(TapError):
    """A response does not have the documented form: it is truncated, garbled or something else."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice or _UNREADABLE)


class IncompleteError(TapError):
    """A list changes while it is read, or has fewer entries than it reports."""


def with_new_key(change: str, query: str) -> str:
    """Advice to change a query in a way that changes the key of its table.

    Args:
        change: What to change, as a command: ``Add 'direction' to group_by of this query``.
        query: The query's name.

    Returns:
        The advice, which says what it means for a table that exists.
    """
    return (
        f"{change} and give the query a new name, because its table would need another key; or drop table "
        f"{query} and remove bookmarks.{query} from the state"
    )
