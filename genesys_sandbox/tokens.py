"""Client credentials: handing out tokens, and knowing them again until they expire."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from genesys_sandbox.messages import Answer, json_answer, refuse

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox.messages import Request
    from genesys_sandbox.options import Options


class Tokens:
    """Every token handed out, with the instant at which it dies."""

    def __init__(self, options: Options) -> None:
        """Accept the credentials that the options name."""
        self._options = options
        self._deaths: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def issue(self, request: Request, now: datetime) -> Answer:
        """Answer `POST /oauth/token`; its errors have a body of their own."""
        granted = parse_qs(request.body.decode("utf-8", "replace")).get("grant_type", [""])[0]
        if granted != "client_credentials":
            return _error(400, "unsupported_grant_type", "unsupported grant type")
        client = _credentials(request.headers.get("authorization", ""))
        if client is None or not all(client):
            return _error(400, "invalid_request", "client credentials are missing")
        if self._options.credentials not in {None, client}:
            return _error(401, "invalid_client", f"client not found or not active: {client[0]}")
        token = secrets.token_urlsafe(48)
        life = self._options.expires_in if self._options.token_life is None else self._options.token_life
        with self._lock:
            self._deaths[token] = now + timedelta(seconds=life)
        body = {"access_token": token, "token_type": "bearer", "expires_in": self._options.expires_in}
        return json_answer(body, headers={"Cache-Control": "no-store"})

    def check(self, request: Request, now: datetime) -> str:
        """The token that a request carries.

        Raises:
            RefusedError: 401, there is none, or it is unknown or dead.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            message = "No authentication bearer token specified in authorization header."
            refuse(message, "authentication.required", status=401)
        with self._lock:
            death = self._deaths.get(token)
        if death is None or now >= death:
            refuse("Invalid login credentials.", "bad.credentials", status=401)
        return token

    def revoke(self) -> None:
        """Kill every token: the next call with one gets 401."""
        with self._lock:
            self._deaths.clear()


def _credentials(header: str) -> tuple[str, str] | None:
    scheme, _, packed = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def _error(status: int, error: str, description: str) -> Answer:
    return json_answer({"error": error, "description": description, "error_description": description}, status)
