"""What may fail on the way to an answer, grouped by what the tap can do about it."""

from __future__ import annotations

import email.utils
import re
from datetime import timezone
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LONGEST_WAIT = 300.0
"""Seconds: no ``Retry-After`` holds a run up for longer than this at a time."""

_LONGEST_MESSAGE = 300
_MOST_PARTS = 10_000
_TOO_LARGE = re.compile(r"limit of \d+ results|result set is larger than result limit", re.IGNORECASE)


class TransientError(TapError):
    """Worth another try: the server is busy, or the line was cut.

    Attributes:
        retry_after: Seconds that the server asks to wait; None where it does not say.
        throttled: Whether the server says that requests come too fast.
    """

    def __init__(
        self, what: str, advice: str = "", *, retry_after: float | None = None, throttled: bool = False
    ) -> None:
        super().__init__(what, advice)
        self.retry_after = retry_after
        self.throttled = throttled


class SlowError(TransientError):
    """The server ran out of time: asking for less time may help more than asking again."""


class TooLargeError(TapError):
    """The window holds more than the server gives at once: ask for less time."""


class TokenRefusedError(TapError):
    """401: the token is not, or no longer, good."""


class DeniedError(TapError):
    """403: the client lacks a permission."""


class RefusedError(TapError):
    """The server will not answer this request, however often it is asked."""


class NotFoundError(RefusedError):
    """404: there is no such path, or what it stood for is gone."""


class StrayError(TapError):
    """A link or redirect leads to another host, which must not be handed the token."""


_LATER = "Try again later; quote the correlation id to support"
_ADVICE: dict[int, tuple[type[TapError], str]] = {
    HTTPStatus.BAD_REQUEST: (RefusedError, "Check the query's names and dates against the server's message"),
    HTTPStatus.UNAUTHORIZED: (
        TokenRefusedError,
        "Check client_id and client_secret, and that the client uses the grant Client Credentials",
    ),
    HTTPStatus.FORBIDDEN: (DeniedError, "Give the OAuth client a role with the permission"),
    HTTPStatus.NOT_FOUND: (NotFoundError, "Check region, base_url and the query's endpoint or path"),
    HTTPStatus.REQUEST_TIMEOUT: (TransientError, ""),
    HTTPStatus.GATEWAY_TIMEOUT: (SlowError, _LATER),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (TooLargeError, ""),
    HTTPStatus.TOO_MANY_REQUESTS: (
        TransientError,
        "The client shares its budget with others: lower requests_per_minute, concurrency or page_size",
    ),
}


def error_of(status: int, headers: Mapping[str, str], body: bytes, *, host: str, now: datetime) -> TapError:
    """The error that an answer other than 2xx means.

    Args:
        status: HTTP status.
        headers: The answer's, case-insensitive.
        body: The answer's; at most some hundred characters of its message are shown.
        host: Who answered.
        now: The present, for a ``Retry-After`` that is a date.

    Returns:
        The error, with the server's own message and its correlation id.
    """
    said = _message(body)
    correlation = headers.get("ININ-Correlation-Id", "")
    trace = f" [correlation id {shorten(correlation)[:80]}]" if correlation else ""
    reason = _phrase(status)
    what = f"{host} answered {status} {reason}{': ' + said if said else ''}{trace}"
    if is_too_large(body[:100_000].decode("utf-8", "replace")):
        return TooLargeError(what)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return StrayError(
            what, "Redirects are not followed, because they would be handed the token: set base_url"
        )
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind, advice = _ADVICE.get(status, (TransientError, _LATER) if server else (RefusedError, ""))
    if issubclass(kind, TransientError):
        wait = retry_after(headers.get("Retry-After"), now)
        return kind(what, advice, retry_after=wait, throttled=status == HTTPStatus.TOO_MANY_REQUESTS)
    return kind(what, advice)


def is_too_large(text: str) -> bool:
    """Whether a text of the server's says that the result is more than it gives at once."""
    return _TOO_LARGE.search(text) is not None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from either form of the header.

    Args:
        value: Seconds, or an HTTP date; anything else counts as absent.
        now: The present.

    Returns:
        0 to ``LONGEST_WAIT``; None where the header does not say.
    """
    if not value:
        return None
    try:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip()):
            seconds = float(value)
        else:
            date = email.utils.parsedate_to_datetime(value)
            aware = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
            seconds = (aware - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


class _Said(msgspec.Struct):
    """The parts of an error body that tell people something (aggregates-api.md)."""

    message: object = None
    code: object = None
    error: object = None
    description: object = None
    error_description: object = None


def _message(body: bytes) -> str:
    """The server's own words, short, on one line; nothing of a body that is not JSON, or a bomb."""
    if body.count(b"[") + body.count(b"{") > _MOST_PARTS:
        return ""
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    words = [said.code or said.error, said.message or said.error_description or said.description]
    return ": ".join(shorten(word) for word in words if isinstance(word, str) and word)


def shorten(text: str) -> str:
    """The beginning of a text of the server's, without line breaks, control characters and secrets."""
    return redact(_printable(text))[:_LONGEST_MESSAGE]


def _printable(text: str) -> str:
    """A text of the server's without line breaks and control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:1000])


def _phrase(status: int) -> str:
    """The usual name of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
