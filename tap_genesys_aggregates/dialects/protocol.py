"""What a contract must say: how to ask, and how to read the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_genesys_aggregates.core.rows import Block, Leaf
    from tap_genesys_aggregates.core.windows import Window


@dataclass(frozen=True, slots=True)
class Call:
    """A request as plain data.

    Attributes:
        method: HTTP method.
        url: A path on the API's host, or the link of a next page as the answer had it.
        body: What is sent as JSON; None sends no body at all.
        params: What follows the question mark.
    """

    method: str
    url: str
    body: Mapping[str, object] | None = None
    params: Mapping[str, str | int] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, read.

    Attributes:
        leaves: What rows are made of, in the answer's order.
        next: The link of the next page; None at the end.
        block: The same leaves column by column, where the answer is plain.
    """

    leaves: Iterable[Leaf]
    next: str | None = None
    block: Block | None = None


class Dialect(Protocol):
    """One contract, compiled for one query."""

    def call(self, window: Window, link: str | None, users: tuple[str, ...] = ()) -> Call:
        """The request for a window.

        Args:
            window: What to ask for.
            link: The link of a next page; None for the first.
            users: The users to ask for, where the family wants them named.
        """

    def read(self, body: bytes, window: Window) -> Page:
        """Read an answer.

        Args:
            body: The bytes of the answer.
            window: What was asked for.

        Returns:
            The page.

        Raises:
            UnreadableError: The bytes are not such an answer.
            UnforeseenError: The answer holds something that the query has no column for.
        """
