"""Answers within bounds: of size, however well they are packed, and of time, however slowly they drip.

A socket's own time-out begins anew with every byte, so a server that drips could hold a run up for as
long as it likes; here it is for the whole answer, head and body.
"""

from __future__ import annotations

import http.client
import io
import os
import time
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.http.errors import TooLargeError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from urllib3 import PoolManager

LARGEST_BODY = 256 << 20
"""Bytes of one answer, uncompressed, beyond which the window counts as too large."""
LARGEST_WINDOW = 512 << 20
"""Bytes of all pages of a window, likewise: they are kept until the last has come."""
MOST_PAGES = 10_000
"""Pages after which a window counts as endless."""
MOST_PARTS = 8_000_000
"""Objects and lists in one answer, likewise: each takes some hundred bytes of memory, however short it is."""
_LARGEST_REFUSAL = 1 << 20
_CHUNK = 1 << 16


def read_body(response: requests.Response, late: Callable[[], bool]) -> bytes:
    """The whole body, uncompressed; of a refusal no more than its beginning.

    Args:
        response: The answer, its body not yet read.
        late: Whether the time for it is up.

    Returns:
        The bytes.

    Raises:
        TooLargeError: There are too many, or too many parts in them.
        requests.RequestException: The body is cut, garbled or late.
    """
    chunks, size = [], 0
    try:
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            chunks.append(chunk)
            if not response.ok and size > _LARGEST_REFUSAL:
                break
            if size > LARGEST_BODY:
                raise TooLargeError(f"an answer of more than {LARGEST_BODY >> 20} MiB")
            if late():
                raise requests.exceptions.ReadTimeout
    except ValueError:  # a chunk of less than no bytes, say
        raise requests.exceptions.ChunkedEncodingError from None
    body = b"".join(chunks)
    if size > MOST_PARTS and body.count(b"{") + body.count(b"[") > MOST_PARTS:
        raise TooLargeError(f"an answer of more than {MOST_PARTS} objects and lists")
    return body


def prepare(session: requests.Session) -> None:
    """Keep the answers of a session within bounds of time, and keep no cookie of them.

    ``SSL_CERT_FILE`` counts too, where ``REQUESTS_CA_BUNDLE`` says nothing.

    Args:
        session: A new session.
    """
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter())


def check_window(pages: int, size: int) -> None:
    """Go on with the pages of a window only where they are not too many.

    Args:
        pages: How many have come.
        size: Their bytes.

    Raises:
        UnreadableError: It seems that they have no end.
        TooLargeError: They are more than is kept.
    """
    if pages > MOST_PAGES:
        what = f"the window has more than {MOST_PAGES} pages, which may have no end"
        raise UnreadableError(what, "Set a larger page_size or a shorter window; else report it to its owner")
    if size > LARGEST_WINDOW:
        raise TooLargeError(f"pages of more than {LARGEST_WINDOW >> 20} MiB")


class _Timely(io.RawIOBase):
    """A socket's bytes, until the time is up that the socket had when the answer began."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._limit = sock.gettimeout()
        self._begun = time.monotonic()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int | None:
        if self._limit is not None:
            left = self._begun + self._limit - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer took too long")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    @override
    def close(self) -> None:
        with suppress(OSError):  # the socket may be closed; if not, the next request has all its time again
            self._sock.settimeout(self._limit)
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that reads in time."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # the library's own
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_Timely(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class DeadlineAdapter(HTTPAdapter):
    """Sends as usual; the time-out is for the whole answer. A SOCKS proxy has connections of its own."""

    @override
    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    @override
    def proxy_manager_for(self, proxy: str, **named: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **named)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager
