"""Certificates and proxies over real sockets: who sees the secret and the token, and who does not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile.case import TOKEN, granted, usual
from tests.hostile.running import SECRET, config, run
from tests.hostile.serving import PATIENCE, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = str(CERTIFICATES / "authority.pem")
ROW = "1 rows "
VARIABLES = (
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no bundle of the machine's own."""
    for name in (*VARIABLES, *map(str.lower, VARIABLES)):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def accepting(take: object) -> Iterator[int]:
    """Take connections, each in a thread, until the end; the port."""
    assert callable(take)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=take, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def secure(server: Server) -> Iterator[int]:
    """A server behind TLS, whose certificate is for ``localhost``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem")

    def take(connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
            server.speak(wrapped, "")

    with accepting(take) as port:
        yield port


class Proxy:
    """A proxy that tunnels, and keeps all that it sees."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.asked: list[str] = []
        self.seen = bytearray()

    def take(self, connection: socket.socket) -> None:
        """One tunnel."""
        connection.settimeout(PATIENCE)
        head = b""
        while b"\r\n\r\n" not in head and (piece := connection.recv(4096)):
            head += piece
        self.asked.append(head.split(b"\r\n")[0].decode())
        self.seen += head
        host, _, port = self.asked[-1].split(" ")[1].rpartition(":")
        with connection, socket.create_connection((host, int(port))) as upstream:
            upstream.settimeout(PATIENCE)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self._pump, args=(upstream, connection), daemon=True)
            back.start()
            self._pump(connection, upstream)
            back.join(PATIENCE)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self.seen += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)


def ended(port: int, host: str = "localhost") -> str:
    """How a run against such a server ends."""
    return run(config(f"https://{host}:{port}", request_timeout=10)).said


def test_a_certificate_of_nobody_we_know_is_refused() -> None:
    """It is said what is wrong, at once, and neither secret nor token was sent."""
    server = Server(usual, granted)
    with secure(server) as port:
        said = ended(port)
    assert said.startswith("TapError: query 'calls'")
    assert f"the certificate of localhost:{port} is not trusted" in said
    assert server.seen == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either variable names the bundle."""
    monkeypatch.setenv(variable, AUTHORITY)
    with secure(Server(usual, granted)) as port:
        assert ended(port).startswith(ROW)


def test_a_certificate_of_another_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good certificate, for another name."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", AUTHORITY)
    server = Server(usual, granted)
    with secure(server) as port:
        assert "is not trusted" in ended(port, "127.0.0.1")
    assert server.seen == []


def test_a_bundle_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, and nothing is sent without it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authority.pem")
    server = Server(usual, granted)
    with secure(server) as port:
        said = ended(port)
    assert "could not be sent (OSError). Check base_url" in said
    assert "REQUESTS_CA_BUNDLE" in said
    assert server.seen == []


def test_a_proxy_sees_hosts_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """``HTTPS_PROXY`` is asked for tunnels; what goes through them it cannot read."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", AUTHORITY)
    proxy = Proxy()
    with secure(Server(usual, granted)) as port, accepting(proxy.take) as other:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{other}")
        assert ended(port).startswith(ROW)
        assert {each.rpartition(" ")[0] for each in proxy.asked} == {f"CONNECT localhost:{port}"}
        assert len(proxy.seen) > 1_000
        assert all(word.encode() not in proxy.seen for word in (TOKEN, SECRET, "Basic", "Bearer"))
        proxy.asked.clear()
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert ended(port).startswith(ROW)
    assert proxy.asked == []


def test_a_stray_answer_reaches_no_other_host() -> None:
    """A redirect and a link to another port on this machine: nothing is asked there."""
    from tests.hostile.leading_away import _linking, _redirecting  # noqa: PLC0415

    other = Server(usual, granted)
    with other.listening("127.0.0.2") as there:
        for data in (_redirecting(307, there), _redirecting(302, there), _linking(f"{there}/next")):
            with Server(data, granted).listening() as origin:
                assert "OtherHostError" in run(config(origin)).said
    assert other.seen == []
