"""OAuth client credentials: one access token, shared by the whole tap."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import requests
from requests.auth import AuthBase, HTTPBasicAuth
from typing_extensions import override

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.redaction import remember_token

if TYPE_CHECKING:
    from collections.abc import Callable

_RENEWAL_MARGIN = 300.0
_SHORT_LIFETIME = 600.0
_DEFAULT_LIFETIME = 3600.0
_MAX_TOKEN_LENGTH = 16_384


class Token(msgspec.Struct):
    """The token endpoint's response (docs/api-notes.md, "Tokens").

    Attributes:
        access_token: The bearer token.
        expires_in: Its lifetime in seconds; None if the server does not say.
    """

    access_token: str
    expires_in: float | None = None


class ClientCredentials(AuthBase):
    """Adds a bearer token to requests; fetches it once, and renews it before it expires.

    It is renewed 300 s before it expires, or after half its lifetime if that is under 600 s
    (docs/api-notes.md, "Tokens"). Any number of threads may ask: one fetches, the others wait.
    """

    def __init__(self, fetch: Callable[[], bytes], clock: Callable[[], float]) -> None:
        """Start without a token.

        Args:
            fetch: Requests a token, with retries, and returns the body of the response.
            clock: Seconds that only grow.
        """
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at = 0.0

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self.token()}"
        return r

    def token(self) -> str:
        """A valid token, fetched if necessary.

        Raises:
            TapError: No token could be obtained.
        """
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._renew()
            return self._token

    def invalidate(self, authorization: str) -> None:
        """Drop the token that a server refused, unless another thread has renewed it since.

        Args:
            authorization: The ``Authorization`` header of the refused request.
        """
        with self._lock:
            if authorization == f"Bearer {self._token}":
                self._token = ""

    def _renew(self) -> None:
        """Fetch a token. Its lifetime counts from before the request, so a slow response cannot extend it."""
        requested_at = self._clock()
        token = read_token(self._fetch())
        lifetime = _DEFAULT_LIFETIME if token.expires_in is None else max(token.expires_in, 0.0)
        self._renew_at = requested_at + (
            lifetime - _RENEWAL_MARGIN if lifetime >= _SHORT_LIFETIME else lifetime / 2
        )
        remember_token(token.access_token)
        self._token = token.access_token


def read_token(body: bytes) -> Token:
    """Read the token endpoint's response.

    Args:
        body: Its body, which no message shows.

    Returns:
        A token that is safe to send in a header.

    Raises:
        UnreadableError: There is no token, or it would break the header.
    """
    try:
        token = msgspec.json.decode(body, type=Token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        what = "the token response is not a JSON object with access_token and expires_in"
        raise UnreadableError(what, "Check token_url") from None
    text = token.access_token
    if (
        not text
        or len(text) > _MAX_TOKEN_LENGTH
        or not text.isascii()
        or not text.isprintable()
        or " " in text
    ):
        raise UnreadableError("the token response holds no usable token", "Check token_url")
    return token


def token_request(url: str, client_id: str, client_secret: str, user_agent: str) -> requests.Request:
    """Build the request for a token: HTTP Basic and a form body (docs/api-notes.md, "Tokens").

    Args:
        url: ``token_url``.
        client_id: ID of the OAuth client.
        client_secret: Its secret.
        user_agent: The ``User-Agent`` header.

    Returns:
        The request, not yet prepared.
    """
    return requests.Request(
        "POST",
        url,
        data={"grant_type": "client_credentials"},
        # As bytes: requests would encode text as Latin-1.
        auth=HTTPBasicAuth(client_id.encode(), client_secret.encode()),
        headers={"Accept": "application/json", "User-Agent": user_agent},
    )
