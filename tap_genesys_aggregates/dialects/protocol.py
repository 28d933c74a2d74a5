"""The interface of a wire format: how to build a request, and how to read its response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_genesys_aggregates.core.rows import Block, Leaf
    from tap_genesys_aggregates.core.windows import Window


@dataclass(frozen=True, slots=True)
class WindowRequest:
    """What one request asks for.

    Attributes:
        window: The time range.
        users: The ids of the users to ask for, if the family requires a list of users.
        divisible: Whether the window may be split when its response turns out to be too large.
    """

    window: Window
    users: tuple[str, ...] = ()
    divisible: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request as plain data.

    Attributes:
        method: The HTTP method.
        url: A path on the API's host, or the link to the next page exactly as the API returned it.
        body: The JSON body, or None to send no body at all.
        params: The query string parameters.
        any_success: Whether any 2xx status counts as an answer. By default only 200 does: a 202 or 204 says
            that something was accepted, and must not pass for an answer without rows.
    """

    method: str
    url: str
    body: Mapping[str, object] | None = None
    params: Mapping[str, str | int] | None = None
    any_success: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One parsed response.

    Attributes:
        leaves: The values that rows are made of, in the order of the response.
        next: The link to the next page, or None on the last page.
        block: The same leaves column by column, if the response is plain enough for that.
        total: The number of entities on all pages, as far as the response tells.
        entities: The number of entities on this page; 0 if the API has no pages of entities.
    """

    leaves: Iterable[Leaf]
    next: str | None = None
    block: Block | None = None
    total: int | None = None
    entities: int = 0


def whole_number(value: object) -> int | None:
    """A count of pages or entries; None for anything else, because no column needs it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Dialect(Protocol):
    """One wire format, compiled for one query."""

    def call(self, window: Window, link: str | None, users: tuple[str, ...] = ()) -> Call:
        """Build the request for a window.

        Args:
            window: The time range to ask for.
            link: The link to the next page, or None for the first page.
            users: The ids of the users to ask for, if the family requires a list of users.
        """

    def read(self, body: bytes, window: Window) -> Page:
        """Parse a response.

        Args:
            body: The bytes of the response.
            window: The time range that was asked for.

        Raises:
            UnreadableError: The bytes are not a response of this API.
            UnforeseenError: The response holds something that the query has no column for.
        """
