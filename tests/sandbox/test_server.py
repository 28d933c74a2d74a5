"""The server: tokens, rate limits and the log, over sockets, in process and from the command line."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from genesys_sandbox import Options, Request, Response, Sandbox, SandboxClient, serve
from genesys_sandbox.in_process import InProcessAdapter

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox import SettableClock


QUERY = {
    "interval": "2025-06-03T00:00Z/2025-06-04T00:00Z",
    "groupBy": ["queueId"],
    "metrics": ["nOffered"],
    "granularity": "PT30M",
}
PATH = "/api/v2/analytics/conversations/aggregates/query"


def log_in(session: requests.Session, url: str) -> None:
    """Fetch a token and send it from now on."""
    form = {"grant_type": "client_credentials"}
    response = session.post(f"{url}/oauth/token", data=form, auth=("sandbox", "sandbox"), timeout=5)
    session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"


def test_sockets_and_in_process_give_the_same_response(sandbox: Sandbox, client: SandboxClient) -> None:
    """A query gets the same response directly, in process and over a socket."""
    expected = client.results("conversations", QUERY)
    with serve(sandbox) as url, requests.Session() as over, requests.Session() as inside:
        inside.mount("https://api.example.com", InProcessAdapter(sandbox))
        for session, base in ((over, url), (inside, "https://api.example.com")):
            log_in(session, base)
            response = session.post(f"{base}{PATH}", json=QUERY, timeout=5)
            assert response.json() == expected
            assert response.headers["Content-Type"] == "application/json"
            assert response.headers["ININ-Correlation-Id"]
            assert (response.reason, response.url) == ("OK", f"{base}{PATH}")


def test_connections_are_kept_alive(sandbox: Sandbox, client: SandboxClient) -> None:
    """Many requests use one connection, including a rejected one."""
    with serve(sandbox) as url:
        connection = HTTPConnection(str(urlsplit(url).netloc), timeout=5)
        connection.connect()
        local = connection.sock.getsockname()
        for method, path, status in (
            ("POST", PATH, 400),
            ("GET", "/api/v2/users", 200),
            ("GET", "/nowhere", 404),
            ("GET", "/api/v2/flows", 200),
        ):
            connection.request(method, path, headers=client.headers)
            response = connection.getresponse()
            response.read()
            assert (response.status, response.version) == (status, 11)
            assert connection.sock.getsockname() == local
        connection.close()


def test_fifty_clients_at_once(sandbox: Sandbox, client: SandboxClient) -> None:
    """Fifty clients, each with its own token, query at once; each gets the complete response."""
    expected = client.results("conversations", QUERY)
    before = len(sandbox.log)

    def query_once(url: str) -> object:
        with requests.Session() as session:
            log_in(session, url)
            return session.post(f"{url}{PATH}", json=QUERY, timeout=30).json()

    with serve(sandbox) as url, ThreadPoolExecutor(50) as pool:
        responses = list(pool.map(query_once, [url] * 50))
    assert responses == [expected] * 50
    entries = sandbox.log[before:]
    assert len({entry.number for entry in entries}) == len(entries) == 100


def test_stopping_closes_connections_and_frees_the_port(sandbox: Sandbox) -> None:
    """After the `with` block, kept-alive connections are closed and the port is free."""
    with serve(sandbox) as url:
        connection = socket.create_connection(
            (urlsplit(url).hostname or "", urlsplit(url).port or 0), timeout=5
        )
        connection.sendall(b"GET /api/v2/users HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        assert connection.recv(9) == b"HTTP/1.1 "
    while connection.recv(65536):
        pass
    connection.close()
    with serve(sandbox, urlsplit(url).port or 0) as again:
        assert again == url


def test_absolute_links_name_the_requested_host() -> None:
    """Absolute links name the host and port that the client used."""
    sandbox = Sandbox(Options(absolute_links=True))
    body = {
        "dateFrom": "2025-06-03T00:00:00.000Z",
        "dateTo": "2025-06-04T00:00:00.000Z",
        "groupBy": ["routing.queue.id"],
        "metrics": ["conversationCount"],
        "pageSize": 2,
    }
    with serve(sandbox) as url, requests.Session() as session:
        log_in(session, url)
        path = f"{url}/api/v2/analytics/conversations/aggregate/query"
        link = session.post(path, json=body, timeout=5).json()["links"]["next"]
        assert link.startswith(f"{path}?")
        assert session.post(link, timeout=5).json()["pageNumber"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_line(number: signal.Signals) -> None:
    """It prints one line with its URL, uses the given clock, and exits with 0 on a signal."""
    command = [sys.executable, "-m", "genesys_sandbox"]
    command += ["--port", "0", "--clock", "2025-06-30T12:00Z", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert match is not None
            with requests.Session() as session:
                log_in(session, match[0])
                future = {**QUERY, "interval": "2025-07-01T00:00Z/2025-07-02T00:00Z"}
                assert session.post(f"{match[0]}{PATH}", json=future, timeout=5).json() == {"results": []}
                assert session.post(f"{match[0]}{PATH}", json=QUERY, timeout=5).json()["results"]
            process.send_signal(number)
            assert process.wait(timeout=20) == 0
            assert process.stdout.read() + process.stderr.read() == ""
        finally:
            process.kill()


def test_a_taken_port_is_reported_in_one_line(sandbox: Sandbox) -> None:
    with serve(sandbox) as url:
        command = [sys.executable, "-m", "genesys_sandbox", "--port", str(urlsplit(url).port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (1, "")
    assert "Cannot listen on port" in done.stdout


GRANT = b"grant_type=client_credentials"


def basic(pair: str) -> str:
    """The `Authorization` header for a client ID and secret."""
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def token(sandbox: Sandbox, authorization: str, body: bytes = GRANT) -> Response:
    """The response to a token request."""
    return sandbox.handle(Request("POST", "/oauth/token", {"authorization": authorization}, body))


def test_any_credentials_get_a_new_token(sandbox: Sandbox) -> None:
    """Any non-empty client gets a token, a new one each time, and its lifetime in seconds."""
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
def test_wrong_credentials_get_an_oauth_error(
    noon: datetime, authorization: str, body: bytes, status: int, error: str
) -> None:
    """OAuth errors have other fields than API errors: error, description, error_description."""
    sandbox = Sandbox(Options(credentials=("me", "right")), now=lambda: noon)
    response = token(sandbox, authorization, body)
    body_json = json.loads(response.body)
    assert (response.status, body_json["error"]) == (status, error)
    assert set(body_json) == {"error", "description", "error_description"}
    assert token(sandbox, basic("me:right")).status == 200


def code(response: Response) -> tuple[int, Any]:
    """Status and code of an error."""
    return response.status, json.loads(response.body).get("code")


def test_requests_without_a_valid_token_get_401(clock: SettableClock) -> None:
    """A missing, unknown, expired or revoked token gets 401."""
    sandbox = Sandbox(Options(expires_in=600, token_life=120), now=clock)
    client = SandboxClient(sandbox)
    path = "/api/v2/flows"
    assert client.request("GET", path).status == 200
    assert code(sandbox.handle(Request("GET", path))) == (401, "authentication.required")
    stranger = Request("GET", path, {"authorization": "Bearer abc"})
    assert code(sandbox.handle(stranger)) == (401, "bad.credentials")
    clock.advance(seconds=120)
    assert code(client.request("GET", path)) == (401, "bad.credentials")
    client.renew()
    assert client.request("GET", path).status == 200
    sandbox.tokens.revoke()
    assert client.request("GET", path).status == 401


def test_too_many_requests_per_minute_get_429(clock: SettableClock) -> None:
    """A request over the limit gets 429 and the seconds to wait; other tokens and the next minute do not."""
    sandbox = Sandbox(Options(requests_per_minute=3), now=clock)
    clock.advance(seconds=18.5)
    client = SandboxClient(sandbox)
    responses = [client.request("GET", "/api/v2/flows") for _ in range(4)]
    assert [response.status for response in responses] == [200, 200, 200, 429]
    assert [response.headers["inin-ratelimit-count"] for response in responses] == ["1", "2", "3", "4"]
    rejected = responses[-1]
    assert code(rejected)[1] == "too.many.requests"
    assert rejected.headers["Retry-After"] == rejected.headers["inin-ratelimit-reset"] == "42"
    assert rejected.headers["inin-ratelimit-allowed"] == "3"
    assert SandboxClient(sandbox).request("GET", "/api/v2/flows").status == 200
    clock.advance(seconds=42)
    assert client.request("GET", "/api/v2/flows").status == 200


def test_the_default_limit_is_announced(client: SandboxClient) -> None:
    """Without a limit of its own, the sandbox announces the platform's 300 and enforces none."""
    assert client.request("GET", "/api/v2/flows").headers["inin-ratelimit-allowed"] == "300"


def test_unknown_paths_are_not_found(client: SandboxClient) -> None:
    """An unknown path, or a wrong method, is 404."""
    assert code(client.request("GET", "/api/v2/nothing")) == (404, "not.found")
    assert client.request("GET", "/api/v2/analytics/conversations/aggregates/query").status == 404


def test_the_log_records_every_request(noon: datetime) -> None:
    """Number, method, path, query, headers, body and status of each request, in order."""
    sandbox = Sandbox(now=lambda: noon)
    client = SandboxClient(sandbox)
    client.request("GET", "/api/v2/users?pageSize=3")
    client.request("POST", "/api/v2/analytics/bots/aggregates/query", {"metrics": []})
    first, second, third = sandbox.log
    assert (first.number, first.path, first.body, first.status) == (1, "/oauth/token", None, 200)
    assert (second.method, second.path, second.query) == ("GET", "/api/v2/users", {"pageSize": "3"})
    assert second.headers["authorization"].startswith("Bearer ")
    assert (third.number, third.body, third.status, third.at) == (3, {"metrics": []}, 400, noon)
