"""Who sees the secret and the token, and who does not: certificates, proxies and other hosts."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.adversarial.hostile_links import link_to, redirect_to
from tests.adversarial.listening import AUTHORITY, listening, listening_with_tls
from tests.adversarial.server import IDLE_TIMEOUT, TOKEN, Server, one_row
from tests.adversarial.tap_run import SECRET, config, run_tap

pytestmark = pytest.mark.slow
_ONE_ROW = "1 rows "
_VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


@pytest.fixture(autouse=True)
def _no_proxy_or_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxies and certificate bundles of this machine."""
    for name in (*_VARIABLES, *map(str.lower, _VARIABLES)):
        monkeypatch.delenv(name, raising=False)


class _Proxy:
    """A proxy that opens tunnels and records everything it sees. Every host is this machine."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.seen = bytearray()

    def handle(self, connection: socket.socket) -> None:
        """Open one tunnel."""
        connection.settimeout(IDLE_TIMEOUT)
        head = b""
        while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
            head += piece
        self.requests.append(head.split(b"\r\n")[0].decode())
        self.seen += head
        port = self.requests[-1].split(" ")[1].rpartition(":")[2]
        with connection, socket.create_connection(("127.0.0.1", int(port))) as upstream:
            upstream.settimeout(IDLE_TIMEOUT)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._pump, args=(upstream, connection), daemon=True)
            back.start()
            self._pump(connection, upstream)
            back.join(IDLE_TIMEOUT)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self.seen += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)


def _run(port: int, host: str = "localhost") -> str:
    """Run the tap against a TLS server; the summary of the outcome."""
    return run_tap(config(f"https://{host}:{port}", request_timeout=10)).summary


def test_a_certificate_of_an_unknown_authority_is_refused() -> None:
    """The error names the certificate, there is no retry, and neither secret nor token is sent."""
    server = Server(one_row)
    with listening_with_tls(server) as port:
        summary = _run(port)
    assert summary.startswith("NoTokenError: ")
    assert f"the certificate of localhost:{port} is not trusted" in summary
    assert server.requests == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_custom_authority_is_trusted(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable may name the certificate bundle, which is then the only one."""
    monkeypatch.setenv(variable, AUTHORITY)
    with listening_with_tls(Server(one_row)) as port:
        assert _run(port).startswith(_ONE_ROW)


def test_a_certificate_of_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is valid, but for another name."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", AUTHORITY)
    server = Server(one_row)
    with listening_with_tls(server) as port:
        assert f"the certificate of 127.0.0.1:{port} is for another name" in _run(port, "127.0.0.1")
    assert server.requests == []


def test_a_missing_certificate_bundle_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one line, and nothing is sent."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authority.pem")
    server = Server(one_row)
    with listening_with_tls(server) as port:
        summary = _run(port)
    assert "could not be sent (OSError: " in summary
    assert "/nowhere/authority.pem). Check base_url" in summary
    assert "REQUESTS_CA_BUNDLE" in summary
    assert server.requests == []


def test_a_proxy_sees_hosts_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """``HTTPS_PROXY`` opens tunnels and cannot read what goes through them; ``NO_PROXY`` bypasses it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", AUTHORITY)
    proxy, host = _Proxy(), "gateway.example.com"
    with listening_with_tls(Server(one_row)) as port, listening(proxy.handle) as other:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{other}")
        assert _run(port, host).startswith(_ONE_ROW)
        assert {each.rpartition(" ")[0] for each in proxy.requests} == {f"CONNECT {host}:{port}"}
        assert len(proxy.seen) > 1_000
        assert all(word.encode() not in proxy.seen for word in (TOKEN, SECRET, "Basic", "Bearer"))
        proxy.requests.clear()
        monkeypatch.setenv("NO_PROXY", host)
        assert f"the name of {host}:{port} cannot be found" in _run(port, host)
    assert proxy.requests == []


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_a_proxy_sees_nothing_of_requests_to_this_machine(
    variable: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain http is allowed to this machine: the client secret went to the proxy in clear text."""
    proxy, server = _Proxy(), Server(one_row)
    with listening(proxy.handle) as other, server.listening(host) as origin:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{other}")
        monkeypatch.setenv("NO_PROXY", "")
        assert run_tap(config(origin)).summary.startswith(_ONE_ROW)
    assert len(server.requests) >= 2
    assert (proxy.requests, bytes(proxy.seen)) == ([], b"")


def test_a_proxy_sees_nothing_of_https_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is reached without a proxy, whatever the scheme."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", AUTHORITY)
    proxy = _Proxy()
    with listening_with_tls(Server(one_row)) as port, listening(proxy.handle) as other:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{other}")
        assert _run(port).startswith(_ONE_ROW)
    assert proxy.requests == []


def test_a_link_or_redirect_reaches_no_other_host() -> None:
    """A link and redirects to another address of this machine: it receives no request."""
    other = Server(one_row)
    with other.listening("127.0.0.2") as there:
        for api in (redirect_to(307, there), redirect_to(302, there), link_to(f"{there}/next")):
            with Server(api).listening() as origin:
                assert "OtherHostError" in run_tap(config(origin)).summary
    assert other.requests == []
