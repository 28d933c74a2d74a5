"""Tokens, and how often one may ask."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Options, Request, Response, Sandbox, SandboxClient

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox import SettableClock

GRANT = b"grant_type=client_credentials"


def basic(pair: str) -> str:
    """The header of a pair."""
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def token(sandbox: Sandbox, authorization: str, body: bytes = GRANT) -> Response:
    """What the token path answers."""
    return sandbox.handle(Request("POST", "/oauth/token", {"authorization": authorization}, body))


def test_a_token_is_handed_out(sandbox: Sandbox) -> None:
    """Any client that is not empty gets a token, a new one each time, and its life in seconds."""
    first, second = (json.loads(token(sandbox, basic("me:secret")).body) for _ in range(2))
    assert first["access_token"] != second["access_token"]
    assert len(first["access_token"]) > 40
    assert (first["expires_in"], first["token_type"]) == (3600, "bearer")


@pytest.mark.parametrize(
    ("authorization", "body", "status", "error"),
    [
        (basic("me:wrong"), GRANT, 401, "invalid_client"),
        (basic("me:"), GRANT, 400, "invalid_request"),
        (basic("me"), GRANT, 400, "invalid_request"),
        ("Basic !", GRANT, 400, "invalid_request"),
        ("", GRANT, 400, "invalid_request"),
        (basic("me:right"), b"", 400, "unsupported_grant_type"),
        (basic("me:right"), b"grant_type=password", 400, "unsupported_grant_type"),
    ],
)
def test_wrong_clients_get_the_tokens_own_error(
    noon: datetime, authorization: str, body: bytes, status: int, error: str
) -> None:
    """The token's error body is another than the API's: error, description, error_description."""
    sandbox = Sandbox(Options(credentials=("me", "right")), now=lambda: noon)
    answer = token(sandbox, authorization, body)
    told = json.loads(answer.body)
    assert (answer.status, told["error"]) == (status, error)
    assert set(told) == {"error", "description", "error_description"}
    assert token(sandbox, basic("me:right")).status == 200


def code(answer: Response) -> tuple[int, Any]:
    """Status and code of an error."""
    return answer.status, json.loads(answer.body).get("code")


def test_without_a_living_token_nothing_is_told(clock: SettableClock) -> None:
    """No token, an unknown one, one that died by the clock or was revoked: 401."""
    sandbox = Sandbox(Options(expires_in=600, token_life=120), now=clock)
    caller = SandboxClient(sandbox)
    path = "/api/v2/flows"
    assert caller.ask("GET", path).status == 200
    assert code(sandbox.handle(Request("GET", path))) == (401, "authentication.required")
    stranger = Request("GET", path, {"authorization": "Bearer abc"})
    assert code(sandbox.handle(stranger)) == (401, "bad.credentials")
    clock.advance(seconds=120)
    assert code(caller.ask("GET", path)) == (401, "bad.credentials")
    caller.renew()
    assert caller.ask("GET", path).status == 200
    sandbox.tokens.revoke()
    assert caller.ask("GET", path).status == 401


def test_too_many_requests_a_minute(clock: SettableClock) -> None:
    """The one above the limit gets 429 and the seconds to wait; another token and the next minute do not."""
    sandbox = Sandbox(Options(requests_per_minute=3), now=clock)
    clock.advance(seconds=18.5)
    caller = SandboxClient(sandbox)
    answers = [caller.ask("GET", "/api/v2/flows") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["inin-ratelimit-count"] for answer in answers] == ["1", "2", "3", "4"]
    refused = answers[-1]
    assert code(refused)[1] == "too.many.requests"
    assert refused.headers["Retry-After"] == refused.headers["inin-ratelimit-reset"] == "42"
    assert refused.headers["inin-ratelimit-allowed"] == "3"
    assert SandboxClient(sandbox).ask("GET", "/api/v2/flows").status == 200
    clock.advance(seconds=42)
    assert caller.ask("GET", "/api/v2/flows").status == 200


def test_the_usual_limit_is_announced(caller: SandboxClient) -> None:
    """Without a limit of its own, the sandbox announces the platform's 300 and enforces none."""
    assert caller.ask("GET", "/api/v2/flows").headers["inin-ratelimit-allowed"] == "300"


def test_unknown_paths_are_not_found(caller: SandboxClient) -> None:
    """Another path, or another method, is 404."""
    assert code(caller.ask("GET", "/api/v2/nothing")) == (404, "not.found")
    assert caller.ask("GET", "/api/v2/analytics/conversations/aggregates/query").status == 404


def test_the_log_tells_what_was_asked(noon: datetime) -> None:
    """Number, method, path, query, headers, body and status of each request, in order."""
    sandbox = Sandbox(now=lambda: noon)
    caller = SandboxClient(sandbox)
    caller.ask("GET", "/api/v2/users?pageSize=3")
    caller.ask("POST", "/api/v2/analytics/bots/aggregates/query", {"metrics": []})
    first, second, third = sandbox.log
    assert (first.number, first.path, first.body, first.status) == (1, "/oauth/token", None, 200)
    assert (second.method, second.path, second.query) == ("GET", "/api/v2/users", {"pageSize": "3"})
    assert second.headers["authorization"].startswith("Bearer ")
    assert (third.number, third.body, third.status, third.at) == (3, {"metrics": []}, 400, noon)
