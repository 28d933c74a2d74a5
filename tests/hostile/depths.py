"""Answers that are deep, and those that are as wide as is let in."""

from __future__ import annotations

from tests.hostile.bombs import BOMBS, lazily, many
from tests.hostile.case import ONE_ROW, Case, leaf, page
from tests.hostile.serving import Reply

DEEP = 100_000


def deep_tree(levels: int) -> bytes:
    """One branch so many levels deep."""
    return b'{"entities": [' + b'{"groups": [' * levels + b"]}" * levels + b"]}"


CASES = (
    Case(
        "deep: a tree of 100,000 levels",
        "One branch, 100,000 groups deep",
        r"^UnforeseenError: .*a level 3 that group_by does not name",
        lambda _: Reply(deep_tree(DEEP)),
        config=BOMBS,
        seconds=10,
        memory=250,
    ),
    Case(
        "deep: 100,000 lists",
        "[[[… in place of an answer",
        r"^UnreadableError: ",
        lambda _: Reply(b"[" * DEEP + b"]" * DEEP),
        config=BOMBS,
        memory=250,
    ),
    Case(
        "deep: 100,000 lists as results",
        "[[[… as results",
        r"^UnreadableError: ",
        lambda _: Reply(b'{"results": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
        config={**BOMBS, "api": "results"},
        memory=250,
    ),
    Case(
        "deep: something beside the tree",
        "A right row, and beside it what is 100,000 deep",
        ONE_ROW,
        lambda _: Reply(page(leaf())[:-1] + b', "summary": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
        config=BOMBS,
        seconds=10,
        memory=250,
    ),
    Case(
        "deep: 250 MiB of brackets",
        "[[[… from 250 KiB",
        r"^(UnreadableError|RefusedError): ",
        lazily(lambda: many(b"[", 250, b'{"entities": [', b""), "gzip"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=30,
        memory=1500,
    ),
    Case(
        "deep: 6 million brackets",
        "[[[…, as many as are let in",
        r"^(UnreadableError|RefusedError): ",
        lazily(lambda: many(b"[", 6, b'{"entities": [', b""), "gzip"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=60,
        memory=2000,
    ),
    Case(
        "deep: and 80 million wide",
        "1,000 levels beside 80 million of {}",
        r"^(UnreadableError|RefusedError|UnforeseenError): ",
        lazily(
            lambda: many(b"{},", 250, b'{"x": ' + b"[" * 1000 + b"]" * 1000 + b', "entities": [', b"{}]}"),
            "gzip",
        ),
        config=BOMBS,
        wired=True,
        seconds=30,
        memory=1500,
    ),
    Case(
        "deep: an error message",
        "400 with a message 100,000 deep",
        r"^RefusedError: .*answered 400",
        lambda _: Reply(b'{"message": ' + b"[" * DEEP + b"]" * DEEP + b"}", 400),
        memory=250,
    ),
)
