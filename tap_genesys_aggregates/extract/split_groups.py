"""Puts groups together that came in pieces: over two results, two pages or two buckets of one window."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from tap_genesys_aggregates.dialects.protocol import Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_genesys_aggregates.core.rows import UniqueKeys


def merged(pages: Sequence[Page], unique: UniqueKeys) -> list[Page]:
    """Pages in which no two rows have the same key.

    This is also where each row's key is checked, once, so that pages without pieces cost nothing more.

    Args:
        pages: The pages of one response. Their leaves are used up.
        unique: The keys of the window so far; those of the pages are added.

    Returns:
        The pages with the same rows; a single page if rows were merged.

    Raises:
        UnforeseenError: Two rows with the same key contradict each other.
        UnreadableError: A row is not readable.
    """
    whole, count = [], 0
    for page in pages:
        if page.block is not None:
            whole.append(page)
            count += len(page.block)
        else:
            leaves = [*page.leaves]
            whole.append(replace(page, leaves=leaves))
            count += len(leaves)
    if unique.add(chain.from_iterable(map(_keys, whole)), count):
        return whole
    return [Page(unique.merge(chain.from_iterable(page.leaves for page in whole)))]


def _keys(page: Page) -> Iterable[tuple[str, ...]]:
    """The key of every row."""
    if page.block is not None:
        return zip(page.block.starts, *page.block.keys, strict=True)
    return ((leaf.start, *leaf.key) for leaf in page.leaves)
