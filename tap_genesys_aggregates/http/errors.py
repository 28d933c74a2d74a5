"""Errors that a request can end in, grouped by what the tap can do about them."""

from __future__ import annotations

import email.utils
import re
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER = 300.0
"""Seconds: a longer ``Retry-After`` is cut to this, so that one bad header cannot stall a run."""

_EARLIEST_DATE = datetime(2020, 1, 1, tzinfo=timezone.utc)
"""A server whose ``Date`` is before this does not know the time."""
_MAX_MESSAGE_LENGTH = 300
_MAX_CONTAINERS = 10_000
# The API documents neither a status nor a code for a result that is too large, so its text decides
# (docs/api-notes.md, "Results: limits").
_TOO_LARGE = re.compile(r"limit of \d+ results|result set is larger than result limit", re.IGNORECASE)


class TransientError(TapError):
    """Worth a retry: the server is busy, or the connection was cut.

    Attributes:
        retry_after: Seconds that the server asks to wait; None if it does not say.
        throttled: Whether the rate limit was exceeded (429).
    """

    def __init__(
        self, what: str, advice: str = "", *, retry_after: float | None = None, throttled: bool = False
    ) -> None:
        super().__init__(what, advice)
        self.retry_after = retry_after
        self.throttled = throttled
        self.stops_run = throttled  # all requests of an OAuth client share its rate limit


class SlowError(TransientError):
    """The server ran out of time: a shorter window may help more than a retry."""


class UnreachableError(TransientError):
    """No connection to the host: its name is unknown, it is down, or TLS failed."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.stops_run = True


class TooLargeError(TapError):
    """The result is more than one response can hold: ask for a shorter window."""


class TokenRefusedError(TapError):
    """401: the token has expired, was revoked, or was never valid."""

    stops_run = True


class NoTokenError(TapError):
    """No token could be obtained."""

    stops_run = True


class DeniedError(TapError):
    """403: the OAuth client lacks a permission."""


class RefusedError(TapError):
    """The server rejects this request, and would reject it again."""


class BadRequestError(RefusedError):
    """400: something in the request is wrong, possibly the length of its interval."""


class NotFoundError(RefusedError):
    """404: the path does not exist, or what it named is gone."""


class OtherHostError(TapError):
    """A link or redirect leads to another host, which must not receive the token."""

    stops_run = True


_LATER = "Try again later; if it keeps happening, quote the correlation id to support"
_ADVICE: dict[int, tuple[type[TapError], str]] = {
    HTTPStatus.BAD_REQUEST: (
        BadRequestError,
        "Check the query's names and dates against the server's message",
    ),
    HTTPStatus.UNAUTHORIZED: (
        TokenRefusedError,
        "Check client_id and client_secret, and that the OAuth client uses the grant type Client Credentials",
    ),
    HTTPStatus.FORBIDDEN: (DeniedError, "Give the OAuth client a role with the missing permission"),
    HTTPStatus.NOT_FOUND: (NotFoundError, "Check region, base_url and the query's endpoint or path"),
    HTTPStatus.REQUEST_TIMEOUT: (TransientError, ""),
    HTTPStatus.GATEWAY_TIMEOUT: (SlowError, _LATER),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (TooLargeError, ""),
    HTTPStatus.TOO_MANY_REQUESTS: (
        TransientError,
        "The OAuth client's rate limit is shared: lower requests_per_minute, concurrency or page_size",
    ),
}


def error_for_response(
    status: int, headers: Mapping[str, str], body: bytes, *, host: str, now: datetime
) -> TapError:
    """Choose the error for a response that is no answer (docs/api-notes.md, "Errors").

    Args:
        status: HTTP status.
        headers: Response headers, case-insensitive.
        body: Response body; its message is shown, cut to a few hundred characters.
        host: The host that answered.
        now: The current time, for a ``Retry-After`` that is a date.

    Returns:
        The error, with the server's own message and its correlation id.
    """
    message = _message(body)
    correlation = headers.get("ININ-Correlation-Id", "")
    trace = f" [correlation id {shorten(correlation)[:80]}]" if correlation else ""
    what = f"{host} answered {status} {_phrase(status)}{': ' + message if message else ''}{trace}"
    if is_too_large(body[:100_000].decode("utf-8", "replace")):
        return TooLargeError(what)
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return UnreadableError(
            f"{what}, but only 200 is an answer to this request", f"Check base_url and any gateway. {_LATER}"
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return OtherHostError(
            what, "Redirects are not followed, because the new host would receive the token: check base_url"
        )
    is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind, advice = _ADVICE.get(status, (TransientError, _LATER) if is_server_error else (RefusedError, ""))
    if issubclass(kind, TransientError):
        wait = retry_after(headers.get("Retry-After"), now)
        return kind(what, advice, retry_after=wait, throttled=status == HTTPStatus.TOO_MANY_REQUESTS)
    return kind(what, advice)


def is_too_large(text: str) -> bool:
    """Whether the server's message says that the result exceeds its limit."""
    return _TOO_LARGE.search(text) is not None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header (docs/api-notes.md, "Rate limits").

    Args:
        value: Seconds, or an HTTP date; anything else counts as absent.
        now: The current time.

    Returns:
        Seconds to wait, from 0 to ``MAX_RETRY_AFTER``; None if the header does not say.
    """
    if not value:
        return None
    try:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip()):
            seconds = float(value)
        else:
            seconds = (_http_date(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The server's time when it responded, in whole seconds (``Date``).

    Args:
        headers: Response headers, case-insensitive.

    Returns:
        The time in UTC; None if the header is missing, malformed, or from a clock that was never set.
    """
    try:
        date = _http_date(headers.get("Date") or "").astimezone(timezone.utc)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date >= _EARLIEST_DATE else None


def _http_date(value: str) -> datetime:
    """Parse an HTTP date.

    Raises:
        ValueError: It is not one. Some malformed dates raise TypeError or OverflowError instead.
    """
    date = email.utils.parsedate_to_datetime(value)
    return date if date.tzinfo else date.replace(tzinfo=timezone.utc)


class _ErrorBody(msgspec.Struct):
    """The fields of both contracts' error bodies, and of OAuth's, that help a reader."""

    message: object = None
    code: object = None
    error: object = None
    description: object = None
    error_description: object = None


def _message(body: bytes) -> str:
    """The server's code and message on one line; empty for a body that is not JSON.

    A body with very many brackets is not parsed: that could take far more memory than the body itself.
    """
    if body.count(b"[") + body.count(b"{") > _MAX_CONTAINERS:
        return ""
    try:
        found = msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    parts = [found.code or found.error, found.message or found.error_description or found.description]
    return ": ".join(shorten(part) for part in parts if isinstance(part, str) and part)


def shorten(text: str) -> str:
    """The beginning of a server's text, without line breaks, control characters and secrets."""
    return redact(_printable(text))[:_MAX_MESSAGE_LENGTH]


def _printable(text: str) -> str:
    """A server's text with line breaks and control characters replaced by spaces."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:1000])


def _phrase(status: int) -> str:
    """The standard reason phrase of a status, or an empty string."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
