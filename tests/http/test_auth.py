"""The token: fetched once, renewed early and on 401, and shown to no one but its own host."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.auth import ClientCredentials, token_request
from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.http.errors import (
    DeniedError,
    NoTokenError,
    OtherHostError,
    TokenRefusedError,
    TransientError,
)
from tests.core.making import examples
from tests.http.fake_server import SECRET, TOKEN_HOST, URL, Answer, FakeClock, fake_api

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASIC = "Basic " + base64.b64encode(f"the-client:{SECRET}".encode()).decode()


class Issuer:
    """Issues tokens t1, t2, … and counts them."""

    def __init__(self, clock: FakeClock, takes: float = 0.0, **fields: object) -> None:
        """Start with none issued.

        Args:
            clock: Advanced by each request.
            takes: Seconds that a request takes.
            fields: What the response holds beside the token.
        """
        self.issued = 0
        self._clock, self._takes, self._fields = clock, takes, fields

    def __call__(self) -> bytes:
        self.issued += 1
        self._clock.advance(self._takes)
        return json.dumps({"access_token": f"t{self.issued}", **self._fields}).encode()


def issued_by(**fields: object) -> tuple[ClientCredentials, Issuer, FakeClock]:
    """Credentials, what issues their tokens, and the clock of both."""
    clock = FakeClock()
    issuer = Issuer(clock, **fields)  # type: ignore[arg-type]
    return ClientCredentials(issuer, clock.monotonic), issuer, clock


def in_threads(work: Callable[[], str], threads: int = 16) -> list[str]:
    """The results of a function in many threads that start at once."""
    gate = threading.Barrier(threads)

    def start(_: int) -> str:
        gate.wait(timeout=10)
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(start, range(threads)))


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (3600, 3300), (172_800, 172_500), (600, 300), (599, 299.5), (300, 150), (60, 30), (1, 0.5),
        (None, 3300),
    ],
)  # fmt: skip
def test_a_token_is_renewed_early(expires_in: float | None, seconds: float) -> None:
    """300 seconds before it expires, or after half its lifetime if that is under 600 seconds."""
    credentials, issuer, clock = issued_by(expires_in=expires_in)
    assert credentials.token() == "t1"
    clock.advance(seconds - 0.01)
    assert (credentials.token(), issuer.issued) == ("t1", 1)
    clock.advance(0.02)
    assert (credentials.token(), issuer.issued) == ("t2", 2)


def test_the_lifetime_counts_from_before_the_request() -> None:
    """A slow response uses up the token's lifetime."""
    credentials, _, clock = issued_by(takes=1000, expires_in=3600)
    credentials.token()
    clock.advance(2299)
    assert credentials.token() == "t1"
    clock.advance(2)
    assert credentials.token() == "t2"


@pytest.mark.parametrize("expires_in", [0, -5])
def test_a_token_without_a_lifetime_is_used_once(expires_in: int) -> None:
    credentials, _, _ = issued_by(expires_in=expires_in)
    assert [credentials.token(), credentials.token()] == ["t1", "t2"]


def test_many_threads_share_one_token() -> None:
    """One thread fetches it, the others wait."""
    credentials, issuer, _ = issued_by(expires_in=3600)
    assert in_threads(credentials.token) == ["t1"] * 16
    assert issuer.issued == 1


def test_a_refused_token_is_renewed_once_for_all_threads() -> None:
    """Many threads may get a 401 for the same token: one renewal serves them all."""
    credentials, issuer, _ = issued_by(expires_in=3600)
    credentials.token()

    def after_401() -> str:
        credentials.invalidate("Bearer t1")
        return credentials.token()

    assert in_threads(after_401) == ["t2"] * 16
    assert issuer.issued == 2


def test_a_late_401_does_not_drop_the_new_token() -> None:
    """A 401 that arrives after the renewal was about the old token."""
    credentials, issuer, _ = issued_by(expires_in=3600)
    credentials.token()
    credentials.invalidate("Bearer t1")
    credentials.token()
    for late in ("Bearer t1", "Bearer ", "t2"):
        credentials.invalidate(late)
    assert (credentials.token(), issuer.issued) == ("t2", 2)


def test_after_a_failed_fetch_the_next_call_fetches_again() -> None:
    answers = iter([b"", b'{"access_token": "t1"}'])
    credentials = ClientCredentials(lambda: next(answers), FakeClock().monotonic)
    with pytest.raises(UnreadableError):
        credentials.token()
    assert credentials.token() == "t1"


def test_the_token_is_sent_in_the_header_only() -> None:
    credentials, _, _ = issued_by(expires_in=3600)
    prepared = requests.Request("POST", "https://api.example.com/x", auth=credentials).prepare()
    assert prepared.headers["Authorization"] == "Bearer t1"
    assert prepared.url == "https://api.example.com/x"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"s3cr3t", b"<html>s3cr3t</html>", b"[]", b'"s3cr3t"', b"null", b"{}", b'{"token": "s3cr3t"}',
        b'{"access_token": null}', b'{"access_token": 7}', b'{"access_token": ""}',
        b'{"access_token": "s3cr3t two"}',
        b'{"access_token": "s3cr3t\\r\\nX-Injected: 1"}', b'{"access_token": "s3cr3t\\u00e9"}',
        b'{"access_token": "s3cr3t\\u0000"}',
        b'{"access_token": "s3cr3t", "expires_in": "soon"}',
        b'{"access_token": "s3cr3t", "expires_in": 1e999}',
        b'{"access_token": "' + b"s3cr3t" * 9_999 + b'"}', b'{"access_token": "s3cr3t"', b"\xff\xfe",
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_an_unusable_token_is_rejected_and_not_shown(body: bytes) -> None:
    """What is no token, or would break a header, is rejected, and the message shows none of it."""
    with pytest.raises(UnreadableError) as refused:
        ClientCredentials(lambda: body, FakeClock().monotonic).token()
    assert "s3cr3t" not in str(refused.value)
    assert "token_url" in str(refused.value)
    assert refused.value.__cause__ is None


@given(
    st.binary(max_size=80) | st.builds(lambda text: json.dumps({"access_token": text}).encode(), st.text())
)
@examples()
def test_any_body_is_a_usable_token_or_an_error(body: bytes) -> None:
    try:
        token = ClientCredentials(lambda: body, FakeClock().monotonic).token()
    except TapError:
        return
    assert token.isascii()
    assert token.isprintable()
    assert token
    assert " " not in token


@pytest.mark.parametrize("client", [("the-client", SECRET), ("clïent", "s:ecrét ✓")])
def test_a_token_request_is_what_both_apis_document(client: tuple[str, str]) -> None:
    """POST, HTTP Basic, form body; the secret is in neither the URL nor the body."""
    prepared = token_request("https://login.example.com/oauth/token", *client, "tap/1").prepare()
    basic = base64.b64encode(":".join(client).encode()).decode()
    assert (prepared.method, prepared.url) == ("POST", "https://login.example.com/oauth/token")
    assert prepared.body == "grant_type=client_credentials"
    assert prepared.headers["Authorization"] == f"Basic {basic}"
    assert prepared.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert (prepared.headers["Accept"], prepared.headers["User-Agent"]) == ("application/json", "tap/1")


def test_one_token_serves_many_requests() -> None:
    api = fake_api()
    for _ in range(5):
        api.fetch()
    assert (len(api.server.token_calls), api.server.authorizations) == (1, ["Bearer t1"] * 5)


def test_a_long_run_renews_its_token() -> None:
    api = fake_api()
    api.fetch()
    api.clock.advance(3299)
    api.fetch()
    api.clock.advance(2)
    api.fetch()
    assert api.server.authorizations == ["Bearer t1", "Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    ("answers", "retries", "tokens"),
    [
        ((Answer(401), Answer()), 0, ["t1", "t2"]),
        ((Answer(401), Answer(503), Answer()), 5, ["t1", "t2", "t2"]),
        (
            (*[Answer(503, headers={"Retry-After": "300"})] * 11, Answer()),
            12,
            [*["t1"] * 11, "t2"],
        ),
    ],
    ids=["a 401 uses up no retry", "a failure after a 401", "waits that outlive the token"],
)
def test_each_attempt_has_a_valid_token(answers: tuple[Answer, ...], retries: int, tokens: list[str]) -> None:
    """It is renewed on 401, and before an attempt if it has expired meanwhile."""
    api = fake_api(*answers, max_retries=retries)
    assert api.fetch() == {}
    assert api.server.authorizations == [f"Bearer {token}" for token in tokens]
    assert len(api.clock.slept) == sum(answer.status == 503 for answer in answers)


def test_a_second_401_stops_the_run() -> None:
    api = fake_api(Answer(401, b'{"code": "bad.credentials", "message": "Invalid login credentials."}'))
    with pytest.raises(TokenRefusedError, match=r"bad\.credentials.*client_id and client_secret"):
        api.fetch()
    assert (api.server.authorizations, len(api.server.token_calls)) == (["Bearer t1", "Bearer t2"], 2)


def test_a_403_stops_the_run_at_once() -> None:
    """A new token would have no more permissions than the old one."""
    body = (
        b'{"code": "missing.permissions", "message": "You are missing: analytics:conversationAggregate:view"}'
    )
    api = fake_api(Answer(403, body))
    with pytest.raises(DeniedError, match=r"analytics:conversationAggregate:view.*role"):
        api.fetch()
    assert (len(api.server.calls), len(api.server.token_calls)) == (1, 1)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    ["https://evil.example.org/x", "//evil.example.org", "/elsewhere", "http://gateway.example.com/x"],
)
def test_a_redirect_is_never_followed(status: int, location: str) -> None:
    """The new host would receive the token, and a POST would become a GET."""
    api = fake_api(Answer(status, headers={"Location": location}))
    with pytest.raises(OtherHostError, match="Redirects are not followed"):
        api.fetch()
    assert [call.url for call in api.server.calls] == [URL]


def test_a_redirect_of_a_token_request_is_never_followed() -> None:
    """The new host would receive the secret."""
    api = fake_api(tokens=(Answer(307, headers={"Location": "https://evil.example.org/oauth/token"}),))
    with pytest.raises(OtherHostError):
        api.fetch()
    assert [call.url for call in api.server.token_calls] == [f"https://{TOKEN_HOST}/oauth/token"]
    assert api.server.calls == []


def test_token_and_secret_go_to_their_own_host_only() -> None:
    """The API's host never sees the secret, and the token's host never sees the token."""
    api = fake_api(Answer(401), Answer(503), Answer())
    api.fetch()
    for call in api.server.calls:
        assert urlsplit(str(call.url)).hostname == "gateway.example.com"
        assert str(call.headers["Authorization"]).startswith("Bearer t")
        assert SECRET not in f"{call.url} {call.headers} {call.body!r}"
    for call in api.server.token_calls:
        assert urlsplit(str(call.url)).hostname == TOKEN_HOST
        assert call.headers["Authorization"] == BASIC
        assert call.body == "grant_type=client_credentials"


def test_netrc_gives_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a developer's .netrc holds, the tap sends its own token."""
    netrc = tmp_path / "netrc"
    netrc.write_text(
        f"machine gateway.example.com login x password y\nmachine {TOKEN_HOST} login x password y\n",
        encoding="utf-8",
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api = fake_api()
    api.fetch()
    assert api.server.authorizations == ["Bearer t1"]
    assert [call.headers["Authorization"] for call in api.server.token_calls] == [BASIC]


@pytest.mark.parametrize("retries", [0, 3])
def test_a_token_request_has_as_many_retries_as_any_other(retries: int) -> None:
    """They are not multiplied by those of the request that needed the token."""
    api = fake_api(tokens=(Answer(503, b'{"message": "maintenance"}'),), max_retries=retries)
    with pytest.raises(TapError, match=f"{TOKEN_HOST} answered 503.*maintenance") as stopped:
        api.fetch()
    assert not isinstance(stopped.value, TransientError)
    assert (len(api.server.token_calls), api.server.calls) == (retries + 1, [])


def test_a_token_request_is_retried_after_a_429() -> None:
    api = fake_api(
        tokens=(Answer(429, headers={"Retry-After": "9"}), Answer(body=b'{"access_token": "good"}'))
    )
    api.fetch()
    assert (api.server.authorizations, api.clock.slept) == (["Bearer good"], [9.0])


@pytest.mark.parametrize(
    ("status", "kind"), [(400, NoTokenError), (401, TokenRefusedError), (403, NoTokenError)]
)
def test_a_refused_client_is_told_why(status: int, kind: type[TapError]) -> None:
    """The token host's own message, the settings to check, no secret, and no second attempt."""
    body = b'{"error": "invalid_client", "description": "client not found: the-client"}'
    api = fake_api(tokens=(Answer(status, body),))
    with pytest.raises(kind, match="invalid_client: client not found") as stopped:
        api.fetch()
    assert "Check client_id" in str(stopped.value)
    assert SECRET not in str(stopped.value)
    assert (len(api.server.token_calls), api.server.calls) == (1, [])


def test_a_token_response_without_a_token_is_retried_and_not_shown() -> None:
    """Such as a login page."""
    api = fake_api(tokens=(Answer(body=b"<html>s3cr3t</html>"),), max_retries=2)
    with pytest.raises(TapError, match="token_url") as stopped:
        api.fetch()
    assert "s3cr3t" not in str(stopped.value)
    assert (len(api.server.token_calls), api.server.calls) == (3, [])


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_a_token_is_an_answer_to_a_token_request(status: int) -> None:
    api = fake_api(tokens=(Answer(status, b'{"access_token": "good"}'),))
    api.fetch()
    assert api.server.authorizations == ["Bearer good"]
