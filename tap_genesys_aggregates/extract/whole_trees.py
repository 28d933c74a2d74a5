"""Reads a tree of several pages until it is whole: entities may come and go between two of its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_genesys_aggregates.core.errors import IncompleteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_genesys_aggregates.dialects.protocol import Page

ATTEMPTS = 3
"""How often a window is read if its number of entities changes, or some are missing."""


def whole_tree(fetch: Callable[[], list[Page]]) -> list[Page]:
    """The pages of a window, with as many entities as they report.

    An entity that is added or removed while pages are read shifts the pages after it, so that another can be
    skipped. Responses without a total are taken as they are.

    Args:
        fetch: Fetches every page of the window.

    Returns:
        The pages, in order.

    Raises:
        IncompleteError: No attempt brought all entities.
    """
    problem = ""
    for _ in range(ATTEMPTS):
        pages = fetch()
        problem = _problem(pages)
        if not problem:
            return pages
    advice = (
        "Set a shorter window or a larger page_size on this query, so that a window has fewer pages; if it "
        "keeps happening, report it to the server's owner"
    )
    raise IncompleteError(f"{problem}, {ATTEMPTS} times in a row", advice)


def _problem(pages: list[Page]) -> str:
    """What is wrong with the totals of some pages; empty if nothing is."""
    totals = {page.total for page in pages if page.total is not None}
    if len(totals) > 1:
        return f"the number of entities changed between pages (from {min(totals)} to {max(totals)})"
    entities = sum(page.entities for page in pages)
    if totals and entities < max(totals):
        return f"the pages have {entities} entities, but report {max(totals)}"
    return ""
