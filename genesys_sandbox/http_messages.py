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
"""How long an answer in small pieces takes in all."""


class Delivery(Enum):
    """How an answer travels: whole, or broken on the way."""

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
        method: Upper case.
        target: Path and query as sent.
        headers: Names in lower case.
        body: As sent, empty for none.
        origin: `scheme://host:port` that the client asked, for absolute links.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = "http://sandbox"

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters; the last of a repeated name counts."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def payload(self) -> object:
        """The body as JSON; None where there is none, or where it is something else."""
        try:
            return json.loads(self.body) if self.body else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Response:
    """One answer.

    Attributes:
        transport: What becomes of it on the way.
        delay: Seconds that pass before its first byte.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0


class ApiError(Exception):
    """A request that the platform refuses, with what its error body says.

    Attributes:
        status: HTTP status.
        code: The platform's own word, such as `bad.request`.
        template: The message, with `{names}` for the parameters.
        params: What stands in for the names.
        headers: More headers for the answer.
    """

    def __init__(
        self, status: int, code: str, template: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        """Refuse, for a reason."""
        self.status, self.code, self.template = status, code, template
        self.params, self.headers = params, headers
        super().__init__(template.format(**params))

    def response(self, context: str) -> Response:
        """The error as the platform words it; `context` is what support asks for."""
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
    """Refuse a request, in the platform's words.

    Args:
        template: The message, with `{names}` for the parameters.
        code: The platform's word for it.
        status: HTTP status.
        headers: More headers for the answer.
        params: What stands in for the names.

    Raises:
        ApiError: always.
    """
    named = {name: str(value) for name, value in params.items()}
    raise ApiError(status, code, template, named, headers or {})


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that carries JSON."""
    text = json.dumps(body, separators=(",", ":"))
    return Response(status, {"Content-Type": JSON_TYPE, **(headers or {})}, text.encode())
