"""Limits on the size of a response, once decompressed, and on the time that the whole of it may take."""

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

MAX_BODY_BYTES = 256 << 20
"""Of one response, uncompressed: beyond it the window counts as too large."""
MAX_WINDOW_BYTES = 512 << 20
"""Of all pages of a window, which stay in memory until the last one has arrived."""
MAX_PAGES = 10_000
"""Pages of a window: beyond it, paging counts as endless."""
MAX_CONTAINERS = 8_000_000
"""JSON objects and arrays in one response: even an empty one takes on the order of 100 bytes."""
_MAX_ERROR_BODY_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 16


def read_body(response: requests.Response, is_late: Callable[[], bool]) -> bytes:
    """Read the whole body, uncompressed; of an error response, only its beginning.

    Args:
        response: A response whose body has not been read.
        is_late: Whether the time for this response is up.

    Returns:
        The body.

    Raises:
        TooLargeError: It exceeds ``MAX_BODY_BYTES`` or ``MAX_CONTAINERS``.
        requests.RequestException: It is cut, garbled or late.
    """
    chunks, size = [], 0
    try:
        for chunk in response.iter_content(_CHUNK_BYTES):
            size += len(chunk)
            chunks.append(chunk)
            if not response.ok and size > _MAX_ERROR_BODY_BYTES:
                break
            if size > MAX_BODY_BYTES:
                raise TooLargeError(f"the response is larger than {MAX_BODY_BYTES >> 20} MiB")
            if is_late():
                raise requests.exceptions.ReadTimeout
    except ValueError:  # such as a chunk of negative size
        raise requests.exceptions.ChunkedEncodingError from None
    body = b"".join(chunks)
    if size > MAX_CONTAINERS and body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise TooLargeError(f"the response holds more than {MAX_CONTAINERS:,} JSON objects and arrays")
    return body


def configure_session(session: requests.Session) -> None:
    """Give a new session the deadline for whole responses, and keep no cookies.

    requests ignores ``SSL_CERT_FILE``, which Python and most other tools read; here it applies unless
    ``REQUESTS_CA_BUNDLE`` is set.
    """
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    for scheme in ("https://", "http://"):
        session.mount(scheme, DeadlineAdapter())


def check_window(pages: int, size: int) -> None:
    """Check that a window's pages stay within the limits, before the next one is requested.

    Args:
        pages: Pages so far.
        size: Their size in bytes.

    Raises:
        UnreadableError: There are more than ``MAX_PAGES``.
        TooLargeError: They exceed ``MAX_WINDOW_BYTES``.
    """
    if pages > MAX_PAGES:
        what = f"the window has more than {MAX_PAGES:,} pages, and there may be no end to them"
        advice = (
            "Set a larger page_size or a shorter window; if that does not help, report it to the API's owner"
        )
        raise UnreadableError(what, advice)
    if size > MAX_WINDOW_BYTES:
        raise TooLargeError(f"the window's pages are larger than {MAX_WINDOW_BYTES >> 20} MiB in total")


# requests hands its timeout to the socket, where it starts again with every byte. A server that sends one
# byte at a time could hold a run forever, so the classes below make it a deadline for the whole response,
# head and body. urllib3 has no hook for that, so each class only puts the next one in place: the adapter its
# pools, a pool its connections, a connection its responses, and a response the reader that keeps the time.


class _DeadlineReader(io.RawIOBase):
    """Reads from a socket until the timeout that it had at the start of the response has passed."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._started = time.monotonic()

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any, /) -> int | None:
        if self._timeout is not None:
            remaining = self._started + self._timeout - time.monotonic()
            if remaining <= 0:
                raise TimeoutError("the response took too long")
            self._sock.settimeout(remaining)
        return self._raw.readinto(buffer)

    @override
    def close(self) -> None:
        with suppress(OSError):  # if the socket is still open, the next request gets the full timeout
            self._sock.settimeout(self._timeout)
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # as in http.client
        super().__init__(sock, *arguments, **named)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class DeadlineAdapter(HTTPAdapter):
    """An ``HTTPAdapter`` whose timeout covers the whole response.

    Not behind a SOCKS proxy, for which urllib3 brings connection classes of its own.
    """

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
