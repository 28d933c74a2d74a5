"""Spoils bytes in ways that readers of JSON trip over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

BITS = (
    b"",
    b"null",
    b"0",
    b"-1",
    b"-0",
    b"1e999",
    b"1e308",
    b"1.5",
    b"9223372036854775808",
    b'"',
    b'""',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"true",
    b"NaN",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b"\xff",
    b"\x00",
    b"\xe2\x80\xa8",
    b'"2023-99-99T00:00:00Z"',
    b"9999-12-31T23:59:59Z",
    b"0001-01-01T00:00:00+09:00",
    b"P1D",
    b"PT0S",
    b"P9999999999D",
    b"P1000000Y",
    b"/",
    b"//",
    b"..",
    b"[" * 2000,
    b'{"groups":[' * 1500,
    b"9" * 400,
    b"9" * 5000,
    b"x" * 20_000,
    "\u0663".encode(),
)
_GONE = (0, 1, 2, 5, 24, 60)


def spoilt(random: Random, bodies: Sequence[bytes]) -> bytes:
    """One of some bodies, with a few stretches replaced, doubled, or taken from another.

    Args:
        random: Decides.
        bodies: What to begin with.

    Returns:
        New bytes, never many.
    """
    body = random.choice(bodies)
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(body))
        end = start + random.choice(_GONE)
        other = random.choice(bodies)
        there = random.randint(0, len(other))
        piece = random.choice(
            (random.choice(BITS), other[there : there + random.choice(_GONE)], body[start:end] * 2)
        )
        body = body[:start] + piece + body[end:]
    return body[:100_000]
