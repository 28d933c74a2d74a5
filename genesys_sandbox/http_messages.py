"""Requests, responses and errors, whatever transport carries them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


JSON_TYPE = "application/json"
DRIP_SECONDS = 0.4
"""How long a dripped response takes in all."""


class Delivery(Enum):
    """How a response is delivered: complete, or broken on the way."""

    WHOLE = "whole"
    RESET_BEFORE = "reset before any byte"
    RESET_AFTER_HEADERS = "reset after the headers"
    RESET_MID_BODY = "reset in the middle of the body"
    RESET_AFTER = "whole, but the next use of the connection resets it"
    DRIP = "in small pieces, slowly"


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: In upper case.
        target: Path and query as sent.
        headers: Names in lower case.
        body: As sent; empty for none.
        origin: `scheme://host:port` as addressed by the client, for absolute links.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = "http://sandbox"

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; the last of a repeated name counts."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def payload(self) -> object:
        """The body parsed as JSON; None if there is no body or it is not JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Response:
    """One response.

    Attributes:
        delivery: How it is sent.
        delay: Seconds before its first byte.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0


class ApiError(Exception):
    """An error response of the platform.

    Attributes:
        status: HTTP status.
        code: The platform's error code, such as `bad.request`.
        template: The message, with `{names}` for the parameters.
        params: The values of those parameters.
        headers: Extra response headers.
    """

    def __init__(
        self, status: int, code: str, template: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        self.status, self.code, self.template = status, code, template
        self.params, self.headers = params, headers
        super().__init__(template.format(**params))

    def response(self, context: str) -> Response:
        """Return the error in the platform's format; `context` is the correlation ID for support."""
        body: dict[str, object] = {
            "message": str(self),
            "code": self.code,
            "status": self.status,
            "messageWithParams": self.template,
            "messageParams": self.params,
            "contextId": context,
            "details": [],
            "errors": [],
        }
        return json_response(body, self.status, self.headers)


def reject(
    template: str,
    code: str = "bad.request",
    *,
    status: int = 400,
    headers: Mapping[str, str] | None = None,
    **params: object,
) -> NoReturn:
    """Reject a request with the platform's error.

    Args:
        template: The message, with `{names}` for the parameters.
        code: The platform's error code.
        status: HTTP status.
        headers: Extra response headers.
        params: The values of the parameters.

    Raises:
        ApiError: Always.
    """
    named = {name: str(value) for name, value in params.items()}
    raise ApiError(status, code, template, named, headers or {})


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(status, {"Content-Type": JSON_TYPE, **(headers or {})}, text.encode())
