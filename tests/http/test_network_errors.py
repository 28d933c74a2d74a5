"""Network faults that no socket of this machine produces; tests/messages has those over real sockets."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest
import requests
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, ProtocolError
from urllib3.exceptions import ProxyError as TunnelError
from urllib3.exceptions import SSLError as TlsError

from tap_genesys_aggregates.http.errors import TransientError, UnreachableError
from tap_genesys_aggregates.http.network_errors import Route, network_error

URL = "https://login.mypurecloud.ei/oauth/token?s3cr3t"
PROXIES = {"https": "http://user:s3cr3t@proxy.example.com"}
ROUTE = Route.of(URL, {}, 60)
BEHIND_PROXY = Route.of(URL, PROXIES, 60)
CONNECTION = HTTPSConnection("login.mypurecloud.ei")


def wrapped(kind: type[requests.ConnectionError], reason: Exception) -> requests.ConnectionError:
    """An error as requests raises it: the reason is inside urllib3's error, which has the whole URL."""
    return kind(MaxRetryError(HTTPSConnectionPool("login.mypurecloud.ei"), URL, reason))


def caused(reason: Exception, cause: Exception) -> Exception:
    reason.__cause__ = cause
    return reason


def certificate(code: int, words: str) -> requests.ConnectionError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {words} (_ssl.c:1006)")
    error.verify_code = code
    return wrapped(requests.exceptions.SSLError, TlsError(error))


UNKNOWN = socket.gaierror(-2, "Name or service not known")
NO_ROUTE = OSError(errno.EHOSTUNREACH, "No route to host")
HANDSHAKE = ssl.SSLError(1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] handshake failure (_ssl.c:1006)")


@pytest.mark.parametrize(
    ("route", "error", "sentence"),
    [
        (
            ROUTE,
            wrapped(
                requests.ConnectionError,
                caused(NameResolutionError("login.mypurecloud.ei", CONNECTION, UNKNOWN), UNKNOWN),
            ),
            "the name of login.mypurecloud.ei:443 cannot be found (gaierror: [Errno -2] Name or service",
        ),
        (
            ROUTE,
            wrapped(requests.ConnectionError, caused(NewConnectionError(CONNECTION, "x"), NO_ROUTE)),
            "no connection to login.mypurecloud.ei:443 (OSError: [Errno 113] No route to host). Check region",
        ),
        (
            BEHIND_PROXY,
            wrapped(requests.exceptions.ProxyError, TunnelError("x", NO_ROUTE)),
            "no connection to the proxy proxy.example.com:80 (OSError: [Errno 113] No route to host). Check",
        ),
        (
            BEHIND_PROXY,
            wrapped(requests.exceptions.ProxyError, TunnelError("x", TimeoutError("timed out"))),
            "the proxy proxy.example.com:80 accepted no connection within 60 s (TimeoutError: timed out)",
        ),
        (
            ROUTE,
            wrapped(requests.exceptions.SSLError, TlsError(HANDSHAKE)),
            "no TLS connection to login.mypurecloud.ei:443 (SSLError: [SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] ",
        ),
        (
            ROUTE,
            certificate(10, "certificate has expired"),
            "the certificate of login.mypurecloud.ei:443 has expired (SSLCertVerificationError: ",
        ),
        (
            ROUTE,
            certificate(9, "certificate is not yet valid"),
            "the certificate of login.mypurecloud.ei:443 is not valid yet (SSLCertVerificationError: ",
        ),
        (
            ROUTE,
            certificate(62, "Hostname mismatch"),
            "the certificate of login.mypurecloud.ei:443 is for another name (SSLCertVerificationError: ",
        ),
        (
            ROUTE,
            certificate(18, "self-signed certificate"),
            "the certificate of login.mypurecloud.ei:443 is not trusted (SSLCertVerificationError: ",
        ),
        (
            ROUTE,
            requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."),
            "the SOCKS proxy  cannot be used, because PySocks is not installed. Install it".replace(
                "  ", " "
            ),
        ),
    ],
)
def test_a_fault_has_its_sentence(route: Route, error: OSError, sentence: str) -> None:
    """It names no path, and no user or password of a proxy."""
    line = str(network_error(route, error))
    assert line.startswith(sentence)
    assert "s3cr3t" not in line


def test_a_domain_that_resembles_a_known_one_is_suggested() -> None:
    error = wrapped(requests.ConnectionError, caused(NewConnectionError(CONNECTION, "x"), UNKNOWN))
    assert str(network_error(ROUTE, error)).endswith("; did you mean 'mypurecloud.ie'?")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (wrapped(requests.ConnectionError, caused(NewConnectionError(CONNECTION, "x"), NO_ROUTE)), NO_ROUTE),
        (wrapped(requests.exceptions.SSLError, TlsError(HANDSHAKE)), HANDSHAKE),
        (requests.ConnectionError(ProtocolError("x", http.client.BadStatusLine("s3cr3t"))), None),
        (requests.exceptions.ProxyError(TunnelError("x", OSError("Tunnel connection failed: 403 s3"))), None),
        (requests.ConnectionError("s3cr3t"), None),
    ],
)
def test_the_cause_is_the_error_of_python_without_the_text_of_others(
    error: OSError, cause: BaseException | None
) -> None:
    """Requests and urllib3 put the URL into their errors, and servers and proxies their own text."""
    assert network_error(BEHIND_PROXY, error).__cause__ is cause


def test_an_error_of_tls_in_the_middle_of_a_response_is_a_cut_response() -> None:
    cut = ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")
    error = network_error(ROUTE, requests.exceptions.SSLError(TlsError(cut)))
    assert str(error).startswith(
        "login.mypurecloud.ei:443 sent no complete response: it closed the connection"
    )
    assert type(error) is TransientError


@pytest.mark.parametrize(("status", "is_final"), [(403, True), (407, True), (502, False), (504, False)])
def test_a_proxy_that_refuses_is_not_asked_again(status: int, *, is_final: bool) -> None:
    """One that cannot reach the host may reach it later."""
    refused = TunnelError("x", OSError(f"Tunnel connection failed: {status} s3cr3t"))
    error = network_error(BEHIND_PROXY, wrapped(requests.exceptions.ProxyError, refused))
    assert isinstance(error, UnreachableError) is not is_final
    assert error.stops_run
    assert "s3cr3t" not in str(error)
