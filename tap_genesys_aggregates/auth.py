"""Client credentials: one token for the whole tap."""

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

_EARLY = 300.0
_SHORT_LIFE = 600.0
_USUAL_LIFE = 3600.0
_LONGEST_TOKEN = 16_384


class Grant(msgspec.Struct):
    """A token, and for how many seconds it is good."""

    access_token: str
    expires_in: float | None = None


class ClientCredentials(AuthBase):
    """Adds the bearer token; fetches it once, renews it early and when it was refused.

    It is renewed 300 s before its end, or at half its life where that is under 600 s (group-tree.md).
    Any number of threads may ask: one fetches, the others wait for it.
    """

    def __init__(self, fetch: Callable[[], bytes], clock: Callable[[], float]) -> None:
        """Begin without a token.

        Args:
            fetch: Posts the grant and returns the body of the answer, retrying what is transient.
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
        """A token that is good for now.

        Raises:
            TapError: None is to be had.
        """
        with self._lock:
            if not self._token or self._clock() >= self._renew_at:
                self._renew()
            return self._token

    def refused(self, authorization: str) -> None:
        """Drop the token that a server refused, unless another thread has renewed it since.

        Args:
            authorization: The header that was sent.
        """
        with self._lock:
            if authorization == f"Bearer {self._token}":
                self._token = ""

    def _renew(self) -> None:
        """Fetch a token; its life counts from before it was asked for."""
        asked = self._clock()
        granted = read_grant(self._fetch())
        life = _USUAL_LIFE if granted.expires_in is None else max(granted.expires_in, 0.0)
        self._renew_at = asked + (life - _EARLY if life >= _SHORT_LIFE else life / 2)
        remember_token(granted.access_token)
        self._token = granted.access_token


def read_grant(body: bytes) -> Grant:
    """The token of an answer; one that would break a header is refused. Never shows the body.

    Args:
        body: The bytes of the answer.

    Returns:
        The token.

    Raises:
        UnreadableError: There is none in it.
    """
    try:
        granted = msgspec.json.decode(body, type=Grant)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        msg = "the token answer is not {access_token, expires_in}"
        raise UnreadableError(msg, "Check token_url") from None
    token = granted.access_token
    if (
        not token
        or len(token) > _LONGEST_TOKEN
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        msg = "the token answer holds no usable token"
        raise UnreadableError(msg, "Check token_url")
    return granted


def grant_request(url: str, client_id: str, client_secret: str, user_agent: str) -> requests.Request:
    """The request for a token: HTTP Basic, form body (both contracts).

    Args:
        url: ``token_url``.
        client_id: OAuth client.
        client_secret: Its secret.
        user_agent: Sent along.

    Returns:
        The request, not yet prepared.
    """
    return requests.Request(
        "POST",
        url,
        data={"grant_type": "client_credentials"},
        auth=HTTPBasicAuth(client_id.encode(), client_secret.encode()),
        headers={"Accept": "application/json", "User-Agent": user_agent},
    )
