"""One token for the whole tap: fetched once, renewed early, renewed once when it was refused."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.auth import ClientCredentials, token_request
from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tests.core.making import examples
from tests.shell.making import SECRET, Time

if TYPE_CHECKING:
    from collections.abc import Callable


class Issuer:
    """Gives out tokens t1, t2, … and counts them."""

    def __init__(self, time: Time, takes: float = 0.0, **granted: object) -> None:
        """Begin with none given.

        Args:
            time: Moved on by each fetch.
            takes: Seconds that a fetch takes.
            granted: What stands beside the token.
        """
        self.given = 0
        self._time, self._takes, self._granted = time, takes, granted

    def __call__(self) -> bytes:
        """The next token."""
        self.given += 1
        self._time.push(self._takes)
        return json.dumps({"access_token": f"t{self.given}", **self._granted}).encode()


def together(work: Callable[[int], str], threads: int = 16) -> list[str]:
    """What a function gives in many threads that begin at once."""
    gate = threading.Barrier(threads)

    def begin(number: int) -> str:
        gate.wait(timeout=10)
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begin, range(threads)))


@pytest.mark.parametrize(
    ("expires_in", "good_for"),
    [
        (3600, 3300),
        (172_800, 172_500),
        (600, 300),
        (599, 299.5),
        (300, 150),
        (60, 30),
        (1, 0.5),
        (None, 3300),
    ],
)
def test_a_token_is_renewed_early(expires_in: float | None, good_for: float) -> None:
    """300 seconds before its end, or at half its life where that is under 600 seconds."""
    time = Time()
    issuer = Issuer(time, expires_in=expires_in)
    credentials = ClientCredentials(issuer, time.monotonic)
    assert credentials.token() == "t1"
    time.push(good_for - 0.01)
    assert (credentials.token(), issuer.given) == ("t1", 1)
    time.push(0.02)
    assert (credentials.token(), issuer.given) == ("t2", 2)


def test_a_life_counts_from_before_the_token_was_asked_for() -> None:
    """A slow answer uses up the token's life."""
    time = Time()
    credentials = ClientCredentials(Issuer(time, takes=1000, expires_in=3600), time.monotonic)
    credentials.token()
    time.push(2299)
    assert credentials.token() == "t1"
    time.push(2)
    assert credentials.token() == "t2"


@pytest.mark.parametrize("expires_in", [0, -5])
def test_a_token_without_a_life_is_used_once(expires_in: int) -> None:
    """It is good for the request that it was fetched for, and no longer."""
    time = Time()
    credentials = ClientCredentials(Issuer(time, expires_in=expires_in), time.monotonic)
    assert [credentials.token(), credentials.token()] == ["t1", "t2"]


def test_many_threads_share_one_token() -> None:
    """One fetches, the others wait for it."""
    time = Time()
    issuer = Issuer(time, expires_in=3600)
    credentials = ClientCredentials(issuer, time.monotonic)
    assert together(lambda _: credentials.token()) == ["t1"] * 16
    assert issuer.given == 1


def test_a_refused_token_is_renewed_once_for_all() -> None:
    """Many threads may see 401 with the same token: one renewal serves them all."""
    time = Time()
    issuer = Issuer(time, expires_in=3600)
    credentials = ClientCredentials(issuer, time.monotonic)
    credentials.token()

    def seen_401(_: int) -> str:
        credentials.invalidate("Bearer t1")
        return credentials.token()

    assert together(seen_401) == ["t2"] * 16
    assert issuer.given == 2


def test_a_late_refusal_does_not_drop_the_new_token() -> None:
    """A 401 that comes after the renewal was about the old token."""
    time = Time()
    issuer = Issuer(time, expires_in=3600)
    credentials = ClientCredentials(issuer, time.monotonic)
    credentials.token()
    credentials.invalidate("Bearer t1")
    credentials.token()
    for late in ("Bearer t1", "Bearer ", "t2"):
        credentials.invalidate(late)
    assert (credentials.token(), issuer.given) == ("t2", 2)


def test_a_failed_fetch_holds_nobody_up() -> None:
    """An error is told to the one that asked; the next one tries again."""
    answers = iter([b"", b'{"access_token": "t1"}'])
    credentials = ClientCredentials(lambda: next(answers), Time().monotonic)
    with pytest.raises(UnreadableError):
        credentials.token()
    assert credentials.token() == "t1"


def test_the_token_goes_into_the_header_and_nowhere_else() -> None:
    """As an authorization of requests, it adds one header and leaves the URL alone."""
    time = Time()
    credentials = ClientCredentials(Issuer(time, expires_in=3600), time.monotonic)
    prepared = requests.Request("POST", "https://api.example.com/x", auth=credentials).prepare()
    assert prepared.headers["Authorization"] == "Bearer t1"
    assert prepared.url == "https://api.example.com/x"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"s3cr3t", b"<html>s3cr3t</html>", b"[]", b'"s3cr3t"', b"null", b"{}", b'{"token": "s3cr3t"}',
        b'{"access_token": null}', b'{"access_token": 7}', b'{"access_token": ""}',
        b'{"access_token": "s3cr3t two"}',
        b'{"access_token": "s3cr3t\\r\\nX-Evil: 1"}', b'{"access_token": "s3cr3t\\u00e9"}',
        b'{"access_token": "s3cr3t\\u0000"}',
        b'{"access_token": "s3cr3t", "expires_in": "soon"}',
        b'{"access_token": "s3cr3t", "expires_in": 1e999}',
        b'{"access_token": "' + b"s3cr3t" * 9_999 + b'"}', b'{"access_token": "s3cr3t"', b"\xff\xfe",
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_bad_token_is_refused_and_not_shown(body: bytes) -> None:
    """What is no token, or would break a header, is refused; nothing of it is in the message."""
    with pytest.raises(UnreadableError) as refused:
        ClientCredentials(lambda: body, Time().monotonic).token()
    assert "s3cr3t" not in str(refused.value)
    assert "token_url" in str(refused.value)
    assert refused.value.__cause__ is None


@given(
    st.binary(max_size=80) | st.builds(lambda text: json.dumps({"access_token": text}).encode(), st.text())
)
@examples()
def test_any_answer_is_a_token_or_refused(body: bytes) -> None:
    """Whatever comes back, it is a header that can be sent, or an error of ours."""
    try:
        token = ClientCredentials(lambda: body, Time().monotonic).token()
    except TapError:
        return
    assert token.isascii()
    assert token.isprintable()
    assert token
    assert " " not in token


@pytest.mark.parametrize("client", [("the-client", SECRET), ("clïent", "s:ecrét ✓")])
def test_the_grant_is_what_both_contracts_say(client: tuple[str, str]) -> None:
    """POST, HTTP Basic, form body; the secret is in no URL and no body."""
    prepared = token_request("https://login.example.com/oauth/token", *client, "tap/1").prepare()
    basic = base64.b64encode(":".join(client).encode()).decode()
    assert (prepared.method, prepared.url) == ("POST", "https://login.example.com/oauth/token")
    assert prepared.body == "grant_type=client_credentials"
    assert prepared.headers["Authorization"] == f"Basic {basic}"
    assert prepared.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert (prepared.headers["Accept"], prepared.headers["User-Agent"]) == ("application/json", "tap/1")
