"""The token on its way: renewed on 401, fetched where it should be, and shown to nobody else."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.http.errors import (
    DeniedError,
    OtherHostError,
    RefusedError,
    TokenRefusedError,
    TransientError,
)
from tests.shell.answering import TOKEN_HOST, URL, Answer, scene
from tests.shell.making import SECRET

if TYPE_CHECKING:
    from pathlib import Path

BASIC = "Basic " + base64.b64encode(f"the-client:{SECRET}".encode()).decode()


def test_one_token_serves_many_requests() -> None:
    """It is fetched once, and not for every request."""
    at = scene()
    for _ in range(5):
        at.fetch()
    assert (len(at.server.token_calls), at.server.authorizations) == (1, ["Bearer t1"] * 5)


def test_a_long_run_renews_its_token() -> None:
    """A run that outlives its token goes on with the next one."""
    at = scene()
    at.fetch()
    at.time.push(3299)
    at.fetch()
    at.time.push(2)
    at.fetch()
    assert at.server.authorizations == ["Bearer t1", "Bearer t1", "Bearer t2"]


def test_a_wait_between_tries_may_outlive_the_token() -> None:
    """Each try has a token that is good when it is sent."""
    at = scene(*[Answer(503, headers={"Retry-After": "300"})] * 11, Answer(), max_retries=12)
    at.fetch()
    assert at.server.authorizations == ["Bearer t1"] * 11 + ["Bearer t2"]


def test_a_401_renews_the_token_and_tries_once() -> None:
    """Rule 7: renew and try once, at once, without using up a try."""
    at = scene(Answer(401), Answer(), max_retries=0)
    assert at.fetch() == {}
    assert at.server.authorizations == ["Bearer t1", "Bearer t2"]
    assert at.time.slept == []


def test_a_second_401_stops_the_run() -> None:
    """A client that is not let in is told so, and asked for nothing more."""
    at = scene(Answer(401, b'{"code": "bad.credentials", "message": "Invalid login credentials."}'))
    with pytest.raises(TokenRefusedError, match=r"bad\.credentials.*client_id and client_secret"):
        at.fetch()
    assert (at.server.authorizations, len(at.server.token_calls)) == (["Bearer t1", "Bearer t2"], 2)


def test_a_403_stops_the_run_at_once() -> None:
    """Rule 7: a new token would have no more permissions than the old one."""
    said = (
        b'{"code": "missing.permissions", "message": "You are missing: analytics:conversationAggregate:view"}'
    )
    at = scene(Answer(403, said))
    with pytest.raises(DeniedError, match=r"analytics:conversationAggregate:view.*role"):
        at.fetch()
    assert (len(at.server.calls), len(at.server.token_calls)) == (1, 1)


def test_trouble_after_a_401_is_tried_again() -> None:
    """The renewal is one thing, a busy server another."""
    at = scene(Answer(401), Answer(503), Answer())
    at.fetch()
    assert at.server.authorizations == ["Bearer t1", "Bearer t2", "Bearer t2"]


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place",
    ["https://evil.example.org/x", "//evil.example.org", "/elsewhere", "http://gateway.example.com/x"],
)
def test_a_redirect_is_never_followed(status: int, place: str) -> None:
    """It would receive the token, and a POST would become a GET: the run stops and says so."""
    at = scene(Answer(status, headers={"Location": place}))
    with pytest.raises(OtherHostError, match="Redirects are not followed"):
        at.fetch()
    assert [call.url for call in at.server.calls] == [URL]


def test_a_redirect_of_the_token_host_is_never_followed() -> None:
    """The same for the secret."""
    at = scene(tokens=(Answer(307, headers={"Location": "https://evil.example.org/oauth/token"}),))
    with pytest.raises(OtherHostError):
        at.fetch()
    assert [call.url for call in at.server.token_calls] == [f"https://{TOKEN_HOST}/oauth/token"]
    assert at.server.calls == []


def test_token_and_secret_go_to_their_own_host_only() -> None:
    """The API's host never sees the secret, and the token's host never sees the token."""
    at = scene(Answer(401), Answer(503), Answer())
    at.fetch()
    for call in at.server.calls:
        assert urlsplit(str(call.url)).hostname == "gateway.example.com"
        assert str(call.headers["Authorization"]).startswith("Bearer t")
        assert SECRET not in f"{call.url} {call.headers} {call.body!r}"
    for call in at.server.token_calls:
        assert urlsplit(str(call.url)).hostname == TOKEN_HOST
        assert call.headers["Authorization"] == BASIC
        assert call.body == "grant_type=client_credentials"


def test_netrc_gives_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in a developer's .netrc, the token of the tap is what is sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text(
        f"machine gateway.example.com login x password y\nmachine {TOKEN_HOST} login x password y\n",
        encoding="utf-8",
    )
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    at = scene()
    at.fetch()
    assert at.server.authorizations == ["Bearer t1"]
    assert [call.headers["Authorization"] for call in at.server.token_calls] == [BASIC]


@pytest.mark.parametrize("retries", [0, 3])
def test_a_token_host_that_is_down_is_tried_as_often_as_the_api(retries: int) -> None:
    """Its tries are not multiplied by those of the request that wanted the token."""
    at = scene(tokens=(Answer(503, b'{"message": "maintenance"}'),), max_retries=retries)
    with pytest.raises(TapError, match=f"{TOKEN_HOST} answered 503.*maintenance") as stopped:
        at.fetch()
    assert not isinstance(stopped.value, TransientError)
    assert (len(at.server.token_calls), at.server.calls) == (retries + 1, [])


def test_a_token_host_that_recovers_is_forgiven() -> None:
    """Trouble in between is no trouble in the end."""
    at = scene(tokens=(Answer(429, headers={"Retry-After": "9"}), Answer(body=b'{"access_token": "good"}')))
    at.fetch()
    assert (at.server.authorizations, at.time.slept) == (["Bearer good"], [9.0])


@pytest.mark.parametrize(
    ("status", "kind"), [(400, RefusedError), (401, TokenRefusedError), (403, DeniedError)]
)
def test_a_client_that_gets_no_token_is_told_why(status: int, kind: type[TapError]) -> None:
    """The token host's own words, without the secret, and no second try."""
    said = b'{"error": "invalid_client", "description": "client not found: the-client"}'
    at = scene(tokens=(Answer(status, said),))
    with pytest.raises(kind, match="invalid_client: client not found") as stopped:
        at.fetch()
    assert SECRET not in str(stopped.value)
    assert (len(at.server.token_calls), at.server.calls) == (1, [])


def test_a_token_that_is_none_stops_the_run() -> None:
    """A login page in place of a token is asked for again, then reported without its text."""
    at = scene(tokens=(Answer(body=b"<html>s3cr3t</html>"),), max_retries=2)
    with pytest.raises(TapError, match="token_url") as stopped:
        at.fetch()
    assert "s3cr3t" not in str(stopped.value)
    assert (len(at.server.token_calls), at.server.calls) == (3, [])
