"""Bodies that grow when they are decompressed or parsed: gigabytes from kilobytes, in depth and in width."""

from __future__ import annotations

import gzip
import itertools
import zlib
from typing import TYPE_CHECKING

from tests.adversarial.server import ONE_ROW, Case, Reply, Request, entity, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.adversarial.server import Responder

_MEBIBYTE = 1 << 20
_DEPTH = 100_000
_NESTED = b"[" * _DEPTH + b"]" * _DEPTH
_GZIP = 31
"""zlib's window bits for gzip; 15 is deflate with a header, -15 without."""
_TOO_LARGE = r"^RefusedError: .*a single bucket of P1D is larger than the server returns .*granularity"
_ANY_REFUSAL = r"^(RefusedError|UnforeseenError|UnreadableError): "
_BOMB = {"request_timeout": 60, "max_retries": 1}
_RESULTS = {**_BOMB, "api": "results"}


def _compressed(begin: bytes, piece: bytes, times: int, end: bytes = b"", window_bits: int = _GZIP) -> bytes:
    """``begin``, ``times`` copies of ``piece`` and ``end``, compressed piece by piece."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, window_bits)
    head = compressor.compress(begin) + compressor.flush(zlib.Z_FULL_FLUSH)
    first = compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH)
    tail = compressor.compress(end) + compressor.flush()
    if window_bits == _GZIP:  # the compressor saw one piece only, so its checksum must be replaced
        checksum = zlib.crc32(begin)
        for _ in range(times):
            checksum = zlib.crc32(piece, checksum)
        checksum, length = zlib.crc32(end, checksum), len(begin) + times * len(piece) + len(end)
        tail = tail[:-8] + checksum.to_bytes(4, "little") + (length % 2**32).to_bytes(4, "little")
    return head + first * times + tail


def _spaces(window_bits: int = _GZIP) -> bytes:
    """4 GiB of spaces."""
    return _compressed(b"", b" " * _MEBIBYTE, 4096, window_bits=window_bits)


def _repeated(
    piece: bytes, mebibytes: int, begin: bytes = b'{"entities": [', end: bytes = b'{}], "links": null}'
) -> bytes:
    """A compressed document of this many MiB, made of equal pieces."""
    return _compressed(begin, piece * (_MEBIBYTE // len(piece)), mebibytes, end)


def _encoded(make: Callable[[], bytes], encoding: str = "gzip", status: int = 200) -> Responder:
    """A reply whose body is built when it is requested, not when this module is imported."""
    return lambda _: Reply(make(), status, (("Content-Encoding", encoding),))


def _uncompressed(_: Request) -> Iterable[bytes]:
    """8 GiB, announced and sent."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {8 << 30}\r\n\r\n".encode()
    return itertools.chain([head], itertools.repeat(b" " * _MEBIBYTE, 8192))


def _endless_chunks(_: Request) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b" " * _MEBIBYTE + b"\r\n"
    yield from itertools.repeat(chunk, 8192)


def _deep_tree(levels: int) -> bytes:
    """One branch with this many levels."""
    return b'{"entities": [' + b'{"groups": [' * levels + b"]}" * levels + b"]}"


def _deep_and_wide() -> bytes:
    begin = b'{"x": ' + b"[" * 1000 + b"]" * 1000 + b', "entities": ['
    return _repeated(b"{},", 250, begin, b"{}]}")


def _empty_results(mebibytes: int) -> bytes:
    return _repeated(b"{},", mebibytes, b'{"results": [', b"{}]}")


CASES = (
    *(
        Case(
            f"bomb: {name}",
            behavior,
            _TOO_LARGE,
            api,
            config=_BOMB,
            over_socket=True,
            full_run_only=full_run_only,
            max_seconds=15,
            max_mib=700,
        )
        for name, behavior, api, full_run_only in (
            ("gzip", "4 GiB of spaces from 4 MiB", _encoded(_spaces), False),
            ("deflate", "4 GiB of spaces from 4 MiB", _encoded(lambda: _spaces(15), "deflate"), True),
            (
                "raw deflate",
                "4 GiB of spaces from 4 MiB, without a zlib header",
                _encoded(lambda: _spaces(-15), "deflate"),
                True,
            ),
            (
                "gzip in gzip",
                "4 GiB of spaces from 20 KiB",
                _encoded(lambda: gzip.compress(_spaces()), "gzip, gzip"),
                True,
            ),
        )
    ),
    Case(
        "bomb: six layers of gzip",
        "An encoding in six layers",
        r"^TransientError: .*ContentDecodingError",
        _encoded(lambda: gzip.compress(b"{}"), ", ".join(["gzip"] * 6)),
        config=_BOMB,
        over_socket=True,
    ),
    Case(
        "bomb: not the encoding announced",
        "A body announced as br that is not br",
        r"^(UnreadableError|TransientError): .*",
        _encoded(lambda: b"\x1b\x00\xf8garbled", "br"),
        config=_BOMB,
    ),
    Case(
        "bomb: broken gzip",
        "gzip with a wrong checksum",
        r"^TransientError: .*ContentDecodingError",
        _encoded(lambda: gzip.compress(b"{}")[:-8] + b"\0" * 8),
        config=_BOMB,
        over_socket=True,
    ),
    *(
        Case(
            f"bomb: {name}",
            behavior,
            _TOO_LARGE,
            api,
            config=_BOMB,
            over_socket=True,
            max_seconds=15,
            max_mib=700,
        )
        for name, behavior, api in (
            ("no compression", "8 GiB, uncompressed", _uncompressed),
            ("chunks without an end", "8 GiB in chunks", _endless_chunks),
        )
    ),
    Case(
        "bomb: empty entities",
        "80 million {} from 300 KiB",
        _ANY_REFUSAL,
        _encoded(lambda: _repeated(b"{},", 250)),
        config=_BOMB,
        over_socket=True,
        max_seconds=30,
        max_mib=1500,
    ),
    Case(
        "bomb: empty results",
        "80 million {} from 300 KiB",
        r"^(0 rows|RefusedError|UnforeseenError|UnreadableError)",
        _encoded(lambda: _empty_results(250)),
        config=_RESULTS,
        full_run_only=True,
        over_socket=True,
        max_seconds=30,
        max_mib=1500,
    ),
    Case(
        "bomb: an error of 250 MiB",
        "400 with a message made of lists",
        r"^BadRequestError: .*answered 400",
        _encoded(lambda: _repeated(b"[],", 250, b'{"message": [', b"[]]}"), status=400),
        config=_BOMB,
        over_socket=True,
        max_seconds=30,
        max_mib=900,
    ),
    Case(
        "bomb: a token of 250 MiB",
        "A token response full of spaces",
        r"^NoTokenError: ",
        token=_encoded(lambda: _repeated(b" ", 250, b"", b"{}")),
        config=_BOMB,
        full_run_only=True,
        over_socket=True,
        max_seconds=15,
        max_mib=900,
    ),
    Case(
        "bomb: 7 million entities",
        "As many {} as the limit allows",
        r"^1 rows ",  # all are pieces of one group, and none contradicts another
        _encoded(lambda: _repeated(b"{},", 21)),
        config=_BOMB,
        full_run_only=True,
        over_socket=True,
        max_seconds=60,
        max_mib=2000,
    ),
    Case(
        "bomb: 7 million results",
        "As many {} as the limit allows",
        r"^0 rows",
        _encoded(lambda: _empty_results(21)),
        config=_RESULTS,
        full_run_only=True,
        over_socket=True,
        max_seconds=60,
        max_mib=2000,
    ),
    Case(
        "deep: a tree of 100,000 levels",
        "One branch, 100,000 groups deep",
        r"^UnforeseenError: .*a level 3 that group_by does not name",
        lambda _: Reply(_deep_tree(_DEPTH)),
        config=_BOMB,
        max_seconds=10,
        max_mib=250,
    ),
    Case(
        "deep: 100,000 lists",
        "[[[… as the whole response",
        r"^UnreadableError: ",
        lambda _: Reply(_NESTED),
        config=_BOMB,
        max_mib=250,
    ),
    Case(
        "deep: 100,000 lists as results",
        "[[[… as results",
        r"^UnreadableError: ",
        lambda _: Reply(b'{"results": ' + _NESTED + b"}"),
        config=_RESULTS,
        max_mib=250,
    ),
    Case(
        "deep: a field beside the tree",
        "A valid row, and a field that is 100,000 levels deep",
        ONE_ROW,
        lambda _: Reply(page(entity())[:-1] + b', "summary": ' + _NESTED + b"}"),
        config=_BOMB,
        max_seconds=10,
        max_mib=250,
    ),
    *(
        Case(
            f"deep: {name}",
            behavior,
            r"^(UnreadableError|RefusedError): ",
            _encoded(make),
            config=_BOMB,
            full_run_only=True,
            over_socket=True,
            max_seconds=max_seconds,
            max_mib=max_mib,
        )
        for name, behavior, make, max_seconds, max_mib in (
            (
                "250 MiB of brackets",
                "[[[… from 250 KiB",
                lambda: _repeated(b"[", 250, b'{"entities": [', b""),
                30,
                1500,
            ),
            (
                "6 million brackets",
                "[[[…, as many as the limit allows",
                lambda: _repeated(b"[", 6, b'{"entities": [', b""),
                60,
                2000,
            ),
        )
    ),
    Case(
        "deep: and 80 million wide",
        "1,000 levels beside 80 million {}",
        _ANY_REFUSAL,
        _encoded(_deep_and_wide),
        config=_BOMB,
        over_socket=True,
        max_seconds=30,
        max_mib=1500,
    ),
    Case(
        "deep: an error message",
        "400 with a message 100,000 levels deep",
        r"^BadRequestError: .*answered 400",
        lambda _: Reply(b'{"message": ' + _NESTED + b"}", 400),
        max_mib=250,
    ),
)
