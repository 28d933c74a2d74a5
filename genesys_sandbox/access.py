"""Access control: tokens, rate limit and permissions."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from genesys_sandbox.http_messages import Response, json_response, reject
from genesys_sandbox.timestamps import MINUTE, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox.http_messages import Request
    from genesys_sandbox.options import Options


class Tokens:
    """Issues access tokens and checks them until they expire."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._expirations: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def issue(self, request: Request, now: datetime) -> Response:
        """Respond to `POST /oauth/token`. Its error bodies differ from those of the API."""
        grant_type = parse_qs(request.body.decode("utf-8", "replace")).get("grant_type", [""])[0]
        if grant_type != "client_credentials":
            return _error(400, "unsupported_grant_type", "unsupported grant type")
        client = _credentials(request.headers.get("authorization", ""))
        if client is None or not all(client):
            return _error(400, "invalid_request", "client credentials are missing")
        if self._options.credentials not in {None, client}:
            return _error(401, "invalid_client", f"client not found or not active: {client[0]}")
        token = secrets.token_urlsafe(48)
        lifetime = self._options.expires_in if self._options.token_life is None else self._options.token_life
        with self._lock:
            self._expirations[token] = now + timedelta(seconds=lifetime)
        body = {"access_token": token, "token_type": "bearer", "expires_in": self._options.expires_in}
        return json_response(body, headers={"Cache-Control": "no-store"})

    def check(self, request: Request, now: datetime) -> str:
        """Return the request's bearer token.

        Raises:
            ApiError: 401, the token is missing, unknown or expired.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "No authentication bearer token specified in authorization header."
            reject(message, "authentication.required", status=401)
        with self._lock:
            expiration = self._expirations.get(token)
        if expiration is None or now >= expiration:
            reject("Invalid login credentials.", "bad.credentials", status=401)
        return token

    def revoke(self) -> None:
        """Invalidate every token: the next request with one gets 401."""
        with self._lock:
            self._expirations.clear()


def _credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def _error(status: int, error: str, description: str) -> Response:
    return json_response(
        {"error": error, "description": description, "error_description": description}, status
    )


_DEFAULT_LIMIT = 300  # docs/api-notes.md, "Rate limits"


class RateLimiter:
    """Counts requests per token and clock minute.

    Without a limit in the options it only sends the rate-limit headers.
    """

    def __init__(self, options: Options) -> None:
        self._limit = options.requests_per_minute
        self._counts: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def count(self, token: str, as_of: int) -> dict[str, str]:
        """Count one request and return its rate-limit headers."""
        minute = as_of // MINUTE
        with self._lock:
            if (token, minute) not in self._counts:
                self._counts = {known: count for known, count in self._counts.items() if known[1] >= minute}
            count = self._counts[token, minute] = self._counts.get((token, minute), 0) + 1
        reset = -(-(MINUTE - as_of % MINUTE) // SECOND)
        return {
            "inin-ratelimit-allowed": str(self._limit or _DEFAULT_LIMIT),
            "inin-ratelimit-count": str(count),
            "inin-ratelimit-reset": str(reset),
        }

    def check(self, headers: dict[str, str]) -> None:
        """Reject a request over the limit, judging by its own rate-limit headers.

        Raises:
            ApiError: 429, with `Retry-After` in seconds.
        """
        if self._limit is None or int(headers["inin-ratelimit-count"]) <= self._limit:
            return
        seconds = headers["inin-ratelimit-reset"]
        reject(
            "Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds",
            "too.many.requests",
            status=429,
            headers={"Retry-After": seconds},
            seconds=seconds,
        )


def check_permission(path: str, permissions: tuple[str, ...], forbidden: frozenset[str]) -> None:
    """Reject a forbidden path and name the missing permissions.

    Raises:
        ApiError: 403.
    """
    if not any(path.startswith(prefix) for prefix in forbidden):
        return
    if len(permissions) > 1:
        message = "Unable to perform the requested action. You must have at least one of the following permissions: {permissions}"  # noqa: E501
        reject(message, "missing.any.permissions", status=403, permissions=", ".join(permissions))
    message = (
        "Unable to perform the requested action. You are missing the following permission(s): {permissions}"
    )
    reject(message, "missing.permissions", status=403, permissions=", ".join(permissions))
