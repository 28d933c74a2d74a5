"""A transport adapter for `requests` that calls a sandbox directly, without a socket."""

from __future__ import annotations

import io
import threading
from errno import ECONNRESET
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as ConnectionFailedError
from requests.exceptions import ReadTimeout
from typing_extensions import override
from urllib3.response import HTTPResponse

from genesys_sandbox.http_messages import DRIP_SECONDS, Delivery, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.models import PreparedRequest
    from requests.models import Response as ClientResponse

    from genesys_sandbox.sandbox import Sandbox

_BODY_SHARES = {Delivery.RESET_AFTER_HEADERS: 0.0, Delivery.RESET_MID_BODY: 0.5}


class _BrokenBody(io.BytesIO):
    """A response body that raises a connection reset after its last byte."""

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size) or self._reset()

    def _reset(self) -> bytes:
        raise ConnectionResetError(ECONNRESET, "Connection reset by peer")


class InProcessAdapter(HTTPAdapter):
    """Calls a sandbox. Mount it on a session for any base URL.

    A broken delivery raises what `requests` raises over sockets. A response that would arrive after the
    request's timeout raises `ReadTimeout` at once; a shorter delay is waited for with the sandbox's `sleep`.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._sandbox = sandbox
        self._reset_next_time = threading.Event()

    @override
    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> ClientResponse:
        if self._reset_next_time.is_set():
            self._reset_next_time.clear()
            raise _reset(request)
        response = self._sandbox.handle(_sandbox_request(request))
        read_timeout = timeout[1] if isinstance(timeout, tuple) else timeout
        if read_timeout is not None and response.delay > read_timeout:
            message = f"Read timed out. (read timeout={read_timeout})"
            raise ReadTimeout(message, request=request)
        if response.delay:
            self._sandbox.sleep(response.delay)
        if response.delivery is Delivery.RESET_BEFORE:
            raise _reset(request)
        if response.delivery is Delivery.RESET_AFTER:
            self._reset_next_time.set()
        if response.delivery is Delivery.DRIP:
            self._sandbox.sleep(DRIP_SECONDS)
        return self.build_response(request, _client_response(response))


def _reset(request: PreparedRequest) -> ConnectionFailedError:
    return ConnectionFailedError(
        ConnectionResetError(ECONNRESET, "Connection reset by peer"), request=request
    )


def _sandbox_request(request: PreparedRequest) -> Request:
    url = urlsplit(request.url or "")
    body = request.body or b""
    return Request(
        method=request.method or "GET",
        target=request.path_url,
        headers={name.lower(): str(value) for name, value in request.headers.items()},
        body=body.encode() if isinstance(body, str) else bytes(body),
        origin=f"{url.scheme}://{url.netloc}",
    )


def _client_response(response: Response) -> HTTPResponse:
    share = _BODY_SHARES.get(response.delivery)
    body: io.BytesIO = io.BytesIO(response.body)
    if share is not None:
        body = _BrokenBody(response.body[: int(len(response.body) * share)])
    return HTTPResponse(
        body=body,
        headers={**response.headers, "Content-Length": str(len(response.body))},
        status=response.status,
        reason=HTTPStatus(response.status).phrase,
        preload_content=False,
    )
