"""Chance that a seed decides."""

from __future__ import annotations

from random import Random


def dice(*parts: object) -> Random:
    """A sequence of throws that depends on nothing but the parts."""
    return Random(" ".join(map(str, parts)))  # noqa: S311  # worlds, not secrets
