"""Bodies that grow when they are unpacked or read: gigabytes from kilobytes, depth, width."""

from __future__ import annotations

import gzip
import itertools
import zlib
from typing import TYPE_CHECKING

from tests.hostile.case import Case
from tests.hostile.serving import Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.hostile.serving import Answer

MEBIBYTE = 1 << 20
TOO_LARGE = r"^RefusedError: .*a single bucket of P1D holds more .*granularity"


def packed(begin: bytes, piece: bytes, times: int, end: bytes = b"", window: int = 31) -> bytes:
    """``begin``, ``piece`` so many times and ``end``, compressed without ever being whole anywhere."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    head = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    first = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = packer.compress(end) + packer.flush()
    if window == 31:  # the checksum at the end is of what went through the packer
        checksum = zlib.crc32(begin)
        for _ in range(times):
            checksum = zlib.crc32(piece, checksum)
        checksum, length = zlib.crc32(end, checksum), len(begin) + times * len(piece) + len(end)
        tail = tail[:-8] + checksum.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little")
    return head + first * times + tail


def _encoded(body: bytes, encoding: str) -> Answer:
    return lambda _: Reply(body, headers=(("Content-Encoding", encoding),))


def _spaces(window: int = 31) -> bytes:
    """4 GiB of spaces."""
    return packed(b"", b" " * MEBIBYTE, 4096, window=window)


def lazily(make: object, encoding: str) -> Answer:
    """An answer that is made when it is asked for, not when this file is read."""

    def data(_: Asked) -> Reply:
        assert callable(make)
        return Reply(make(), headers=(("Content-Encoding", encoding),))

    return data


def many(
    piece: bytes, mebibytes: int, begin: bytes = b'{"entities": [', end: bytes = b'{}], "links": null}'
) -> bytes:
    """A document of so many equal parts."""
    block = piece * (MEBIBYTE // len(piece))
    return packed(begin, block, mebibytes, end)


def _plain_gigabytes(_: Asked) -> Iterable[bytes]:
    """A body that says how long it is, and is."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {8 << 30}\r\n\r\n".encode()
    return itertools.chain([head], itertools.repeat(b" " * MEBIBYTE, 8192))


def _chunks(_: Asked) -> Iterator[bytes]:
    """Chunks without an end."""
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b" " * MEBIBYTE + b"\r\n"
    yield from itertools.repeat(chunk, 8192)


BOMBS = {"request_timeout": 60, "max_retries": 1}
CASES = (
    Case(
        "bomb: gzip",
        "4 GiB of spaces from 4 MiB",
        TOO_LARGE,
        lazily(_spaces, "gzip"),
        config=BOMBS,
        wired=True,
        seconds=15,
        memory=700,
    ),
    Case(
        "bomb: deflate",
        "4 GiB of spaces from 4 MiB",
        TOO_LARGE,
        lazily(lambda: _spaces(15), "deflate"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=15,
        memory=700,
    ),
    Case(
        "bomb: bare deflate",
        "4 GiB of spaces from 4 MiB, without a header",
        TOO_LARGE,
        lazily(lambda: _spaces(-15), "deflate"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=15,
        memory=700,
    ),
    Case(
        "bomb: gzip in gzip",
        "4 GiB of spaces from 20 KiB",
        TOO_LARGE,
        lazily(lambda: gzip.compress(_spaces()), "gzip, gzip"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=15,
        memory=700,
    ),
    Case(
        "bomb: six times gzip",
        "An encoding in six layers",
        r"^TransientError: .*ContentDecodingError",
        lazily(lambda: gzip.compress(b"{}"), ", ".join(["gzip"] * 6)),
        config=BOMBS,
        wired=True,
    ),
    Case(
        "bomb: an encoding nobody has",
        "A body that is said to be br, and is not",
        r"^(UnreadableError|TransientError): .*",
        _encoded(b"\x1b\x00\xf8garbled", "br"),
        config=BOMBS,
    ),
    Case(
        "bomb: broken gzip",
        "gzip with a wrong checksum",
        r"^TransientError: .*ContentDecodingError",
        _encoded(gzip.compress(b"{}")[:-8] + b"\0" * 8, "gzip"),
        config=BOMBS,
        wired=True,
    ),
    Case(
        "bomb: no compression",
        "8 GiB as they are",
        TOO_LARGE,
        _plain_gigabytes,
        config=BOMBS,
        wired=True,
        seconds=15,
        memory=700,
    ),
    Case(
        "bomb: chunks without an end",
        "8 GiB in chunks",
        TOO_LARGE,
        _chunks,
        config=BOMBS,
        wired=True,
        seconds=15,
        memory=700,
    ),
    Case(
        "bomb: empty entities",
        "80 million of {} from 300 KiB",
        r"^(RefusedError|UnforeseenError|UnreadableError): ",
        lazily(lambda: many(b"{},", 250), "gzip"),
        config=BOMBS,
        wired=True,
        seconds=30,
        memory=1500,
    ),
    Case(
        "bomb: empty results",
        "80 million of {} from 300 KiB",
        r"^(0 rows|RefusedError|UnforeseenError|UnreadableError)",
        lazily(lambda: many(b"{},", 250, b'{"results": [', b"{}]}"), "gzip"),
        config={**BOMBS, "api": "results"},
        long=True,
        wired=True,
        seconds=30,
        memory=1500,
    ),
    Case(
        "bomb: an error of 250 MiB",
        "400 with a message of lists",
        r"^RefusedError: .*answered 400",
        lambda _: Reply(many(b"[],", 250, b'{"message": [', b"[]]}"), 400, (("Content-Encoding", "gzip"),)),
        config=BOMBS,
        wired=True,
        seconds=30,
        memory=900,
    ),
    Case(
        "bomb: a token of 250 MiB",
        "A token answer of spaces",
        r"^(RefusedError|TooLargeError|TapError): ",
        grant=lazily(lambda: many(b" ", 250, b"", b"{}"), "gzip"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=15,
        memory=900,
    ),
    Case(
        "bomb: 7 million entities",
        "{}, as many as are let in",
        r"^UnforeseenError: .*two rows came with the same key",
        lazily(lambda: many(b"{},", 21), "gzip"),
        config=BOMBS,
        long=True,
        wired=True,
        seconds=60,
        memory=2000,
    ),
    Case(
        "bomb: 7 million results",
        "{}, as many as are let in",
        r"^0 rows",
        lazily(lambda: many(b"{},", 21, b'{"results": [', b"{}]}"), "gzip"),
        config={**BOMBS, "api": "results"},
        long=True,
        wired=True,
        seconds=60,
        memory=2000,
    ),
)
