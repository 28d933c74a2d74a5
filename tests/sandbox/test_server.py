"""The sandbox over real sockets, and from the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
import requests

from genesys_sandbox import Options, Sandbox, SandboxClient, serve
from genesys_sandbox.in_process import InProcessAdapter

QUERY = {
    "interval": "2025-06-03T00:00Z/2025-06-04T00:00Z",
    "groupBy": ["queueId"],
    "metrics": ["nOffered"],
    "granularity": "PT30M",
}
PATH = "/api/v2/analytics/conversations/aggregates/query"


def log_in(session: requests.Session, url: str) -> None:
    """Fetch a token, and send it from now on."""
    form = {"grant_type": "client_credentials"}
    answer = session.post(f"{url}/oauth/token", data=form, auth=("sandbox", "sandbox"), timeout=5)
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def test_sockets_and_no_sockets_answer_alike(sandbox: Sandbox, caller: SandboxClient) -> None:
    """The same query has the same answer asked directly, in process, and over a socket."""
    expected = caller.results("conversations", QUERY)
    with serve(sandbox) as url, requests.Session() as over, requests.Session() as inside:
        inside.mount("https://api.example.com", InProcessAdapter(sandbox))
        for session, base in ((over, url), (inside, "https://api.example.com")):
            log_in(session, base)
            answer = session.post(f"{base}{PATH}", json=QUERY, timeout=5)
            assert answer.json() == expected
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["ININ-Correlation-Id"]
            assert (answer.reason, answer.url) == ("OK", f"{base}{PATH}")


def test_connections_are_kept_alive(sandbox: Sandbox, caller: SandboxClient) -> None:
    """Many requests go over one connection, a refused one and an empty answer among them."""
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
            connection.request(method, path, headers=caller.headers)
            answer = connection.getresponse()
            answer.read()
            assert (answer.status, answer.version) == (status, 11)
            assert connection.sock.getsockname() == local
        connection.close()


def test_fifty_clients_at_once(sandbox: Sandbox, caller: SandboxClient) -> None:
    """Fifty clients with a token each ask at the same time; each gets the whole answer."""
    expected = caller.results("conversations", QUERY)
    before = len(sandbox.log)

    def ask(url: str) -> object:
        with requests.Session() as session:
            log_in(session, url)
            return session.post(f"{url}{PATH}", json=QUERY, timeout=30).json()

    with serve(sandbox) as url, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, [url] * 50))
    assert answers == [expected] * 50
    entries = sandbox.log[before:]
    assert len({entry.number for entry in entries}) == len(entries) == 100


def test_stopping_hangs_up(sandbox: Sandbox) -> None:
    """When the block ends, connections that were kept alive end too, and the port is free."""
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


def test_links_are_absolute_as_the_client_sees_the_host() -> None:
    """Absolute links name the host and port that were asked."""
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
    """It prints one line with its URL, serves by the clock it was given, and stops with 0 when told to."""
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


def test_a_taken_port_is_told_in_a_line(sandbox: Sandbox) -> None:
    """A port in use is no traceback."""
    with serve(sandbox) as url:
        command = [sys.executable, "-m", "genesys_sandbox", "--port", str(urlsplit(url).port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (1, "")
    assert "Cannot listen on port" in done.stdout


def test_it_imports_nothing_of_the_tap() -> None:
    """Serving loads no other module of ours, and no library but the standard one's and typing's."""
    script = "import sys, json; import genesys_sandbox.__main__;print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    loaded = json.loads(done.stdout)
    ours = [name for name in loaded if name.startswith("tap_genesys_aggregates.")]
    assert all(name.startswith("genesys_sandbox") for name in ours)
    assert not {"requests", "singer_sdk", "msgspec"} & set(loaded)
