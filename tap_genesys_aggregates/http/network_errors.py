"""Faults below HTTP: names, connections, proxies, TLS, and responses that never arrive or are cut off.

Each has a sentence of its own with the host and the port, and Python's own words in parentheses. URLs are
never shown: a path or a proxy's URL may hold credentials.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.utils import select_proxy
from urllib3.exceptions import InvalidChunkLength, NewConnectionError, ProxySchemeUnknown, ReadTimeoutError
from urllib3.exceptions import SSLError as TlsError

from tap_genesys_aggregates.config.reader import suggestion
from tap_genesys_aggregates.config.regions import domains
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.http.errors import SlowError, TransientError, UnreachableError, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}
_INTERRUPTED = (
    requests.exceptions.Timeout,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
)
"""What OpenSSL says of bytes that are not TLS; versions of it differ."""
_NOT_YET_VALID, _EXPIRED, _OTHER_NAMES = 9, 10, frozenset({62, 64})
"""OpenSSL's codes of certificates that are refused."""
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")

_HOST = "Check region and base_url, and token_url if it is set"
_PORT = "Check the port in base_url, and in token_url if it is set"
_PROXY = "Check HTTPS_PROXY; a host in NO_PROXY is reached without a proxy"
_BUNDLE = (
    "If a private authority or a company's proxy issued it, set REQUESTS_CA_BUNDLE to the path of a PEM file "
    "with the certificate of that authority; otherwise check region and base_url"
)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Attributes:
        host: ``host:port``.
        proxy: ``host:port`` of the proxy in between, if there is one.
        is_plain: Whether the scheme is http.
        timeout: Seconds that the request may take.
    """

    host: str
    proxy: str
    is_plain: bool
    timeout: float

    @classmethod
    def of(cls, url: str, proxies: Mapping[str, str], timeout: float) -> Route:
        """The route of a request.

        Args:
            url: Its URL.
            proxies: Scheme → URL of the proxy, as requests has them.
            timeout: Seconds that the request may take.
        """
        proxy = select_proxy(url, proxies)
        return cls(
            host=_address(url),
            proxy=_address(proxy if "://" in proxy else f"http://{proxy}") if proxy else "",
            is_plain=url.startswith("http:"),
            timeout=timeout,
        )

    @property
    def whole(self) -> str:
        """The host, and the proxy if there is one."""
        return f"{self.host} (through the proxy {self.proxy})" if self.proxy else self.host


def network_error(route: Route, error: OSError) -> TapError:
    """The error for a request that got no response, or only a part of one.

    Args:
        route: Where the request went.
        error: An error of requests, or of a CA bundle that cannot be read.

    Returns:
        The error. Its ``__cause__`` is Python's own error, unless its text may be a server's or a user's.
    """
    found = _tunnel_refused(route, error) or _not_sent(route, error) or _connection(route, error)
    if found is None:
        found = _response(route, error)
    root = _root(error)
    if isinstance(root, OSError) and (root.errno is not None or isinstance(root, ssl.SSLError)):
        found.__cause__ = root.with_traceback(None)
    return found


def _tunnel_refused(route: Route, error: OSError) -> TapError | None:
    """The error if a proxy answers that it does not connect to the host."""
    match = _TUNNEL.search(str(_root(error))) if isinstance(error, requests.exceptions.ProxyError) else None
    if match is None:
        return None
    status = int(match[1])
    phrase = HTTPStatus(status).phrase if status in {each.value for each in HTTPStatus} else ""
    what = f"the proxy {route.proxy} does not connect to {route.host} ({status} {phrase})".replace(" )", ")")
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        what = f"the proxy {route.proxy} requires a user and a password ({status} {phrase})"
        return _final(what, "Set HTTPS_PROXY to http://user:password@host:port")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _final(what, f"Allow this host in the proxy, or set another. {_PROXY}")
    return UnreachableError(what, f"{_HOST}. {_PROXY}")


def _not_sent(route: Route, error: OSError) -> TapError | None:
    """The error if the request itself, a proxy's URL or a CA bundle is wrong, so that nothing was sent."""
    if isinstance(error, _INTERRUPTED):
        return None
    is_proxy = isinstance(error, requests.exceptions.InvalidProxyURL) or isinstance(
        _root(error), ProxySchemeUnknown
    )
    if is_proxy:
        return _final(
            f"the URL of the proxy for {route.host} is not valid", "Check HTTPS_PROXY and ALL_PROXY"
        )
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        what = f"the SOCKS proxy {route.proxy} cannot be used, because PySocks is not installed"
        return _final(what, "Install it beside the tap, or set HTTPS_PROXY to an http:// proxy")
    found = TapError(
        f"the request to {route.host} could not be sent{_words(error)}",
        "Check base_url, region, token_url, the proxy settings and REQUESTS_CA_BUNDLE",
    )
    # Such as a CA bundle that does not exist. An invalid URL may be that of one link or path only.
    found.stops_run = not isinstance(error, requests.RequestException)
    return found


def _connection(route: Route, error: OSError) -> TapError | None:
    """The error if there was no connection at all, so that requests of other streams would fail as well."""
    root, words = _root(error), _words(error)
    is_proxy = isinstance(error, requests.exceptions.ProxyError)
    peer = f"the proxy {route.proxy}" if is_proxy else route.host
    if _is_handshake(error):
        return _tls(peer, error, _PROXY if is_proxy else "")
    if isinstance(root, socket.gaierror):
        what = f"the name of {peer} cannot be found{words}"
        advice = _PROXY if is_proxy else f"{_HOST}, and the network of this machine{_meant(route.host)}"
        return UnreachableError(what, advice)
    if isinstance(root, ConnectionRefusedError):
        what = f"{peer} refused the connection{words}"
        return UnreachableError(what, _PROXY if is_proxy else f"{_PORT}: nothing may be listening there")
    if isinstance(error, requests.exceptions.ConnectTimeout) or (is_proxy and isinstance(root, TimeoutError)):
        what = f"{peer} accepted no connection within {route.timeout:g} s{words}"
        advice = "a firewall may be in between; if there is a proxy, set HTTPS_PROXY"
        return UnreachableError(what, _PROXY if is_proxy else f"{_HOST}; {advice}")
    if is_proxy or any(isinstance(each, NewConnectionError) for each in _chain(error)):
        return UnreachableError(f"no connection to {peer}{words}", _PROXY if is_proxy else _HOST)
    return None


def _is_handshake(error: OSError) -> bool:
    """Whether TLS could not be set up; an error in the middle of a response is not within a MaxRetryError."""
    if isinstance(error, requests.exceptions.ProxyError):
        return isinstance(_root(error), ssl.SSLError)
    return isinstance(error, requests.exceptions.SSLError) and not isinstance(_wrapped(error), TlsError)


def _tls(peer: str, error: OSError, advice: str) -> TapError:
    """The error for a handshake that failed."""
    root, words = _root(error), _words(error)
    if isinstance(root, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return _certificate(peer, root, words)
    if getattr(root, "library", None) in {"X509", "PEM"}:
        what = f"the certificates that {peer} is checked against cannot be read{words}"
        return _final(what, "Set REQUESTS_CA_BUNDLE to the path of a PEM file, or remove it")
    reason = getattr(root, "reason", None)
    if reason in _NO_TLS:
        what = f"{peer} does not speak TLS on this port{words}"
        plain = "write its URL with http:// instead of https://"
        return _final(what, f"{advice}; {plain}" if advice else f"{_PORT}: that of https is usually 443")
    if isinstance(root, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        what = f"{peer} closed the connection while TLS was being set up{words}"
        return UnreachableError(what, advice or f"{_PORT}: it may not speak TLS there")
    return UnreachableError(f"no TLS connection to {peer}{words}", advice or _HOST)


def _certificate(peer: str, root: BaseException, words: str) -> TapError:
    """The error for a certificate that is refused."""
    code = getattr(root, "verify_code", None)
    if code in _OTHER_NAMES:
        return _final(f"the certificate of {peer} is for another name{words}", _HOST)
    if code in {_NOT_YET_VALID, _EXPIRED}:
        state = "has expired" if code == _EXPIRED else "is not valid yet"
        advice = "Check the clock of this machine; if it is right, tell the server's owner"
        return _final(f"the certificate of {peer} {state}{words}", advice)
    return _final(f"the certificate of {peer} is not trusted{words}", _BUNDLE)


def _response(route: Route, error: OSError) -> TapError:
    """The error for a response that did not arrive, or only a part of it."""
    root, words = _root(error), _words(error)
    what = f"{route.whole} sent no complete response"
    # A timeout while the body is read reaches us as a ConnectionError that holds urllib3's ReadTimeoutError.
    timeouts = requests.exceptions.ReadTimeout | ReadTimeoutError
    if any(isinstance(each, timeouts) for each in _chain(error)):
        what = f"{what} within {route.timeout:g} s{words}"
        return SlowError(what, "Check the network, or set a longer request_timeout")
    advice = "Check the network, and any proxy or gateway"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return TransientError(f"{what}: it cannot be decompressed{words}", advice)
    if isinstance(root, http.client.RemoteDisconnected | ConnectionError | ssl.SSLError):
        more = "; if it expects TLS, write https:// instead of http://" if route.is_plain else ""
        return TransientError(f"{what}: it closed the connection{words}", f"{advice}{more}")
    is_cut = isinstance(root, http.client.IncompleteRead) and not isinstance(root, InvalidChunkLength)
    if not is_cut and isinstance(root, http.client.HTTPException | requests.exceptions.ChunkedEncodingError):
        return TransientError(f"{what}: it is not valid HTTP{words}", f"{_PORT}, and any proxy or gateway")
    return TransientError(f"{what}: it was cut off{words}", advice)


def _final(what: str, advice: str) -> TapError:
    """An error that no retry helps against, and that concerns every stream."""
    error = TapError(what, advice)
    error.stops_run = True
    return error


def _address(url: str) -> str:
    """``host:port`` of a URL, without user and password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "with an invalid URL"
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown


def _meant(host: str) -> str:
    """The known domain that a host resembles, for the end of an advice."""
    name = host.rpartition(":")[0]
    domain = re.sub(r"^(api|login)\.", "", name)
    return "" if domain == name or domain in domains().values() else suggestion(domain, domains().values())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and the errors that it wraps, each the cause of the one before."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = _wrapped(found)


def _wrapped(error: BaseException) -> BaseException | None:
    """The error that another wraps: requests and urllib3 keep it in one of several places."""
    places = (getattr(error, "reason", None), *error.args, error.__cause__)
    return next((each for each in places if isinstance(each, BaseException)), None)


def _root(error: BaseException) -> BaseException:
    *_, root = _chain(error)
    return root


def _words(error: OSError) -> str:
    """Python's own words about an error, in parentheses: a class, and its text if that holds no URL."""
    root = _root(error)
    is_shown = isinstance(root, OSError | http.client.HTTPException)
    if not is_shown or isinstance(root, requests.RequestException):
        return f" ({type(error).__name__})"
    kind = type(root).__name__
    text = re.sub(r" *\(_ssl\.c:\d+\)|^_ssl\.c:\d+: ", "", str(root))
    if text.startswith(f"{kind}("):
        text = text[len(kind) :].strip("()")
    text = shorten(text).strip()
    return f" ({kind}: {text})" if text else f" ({kind})"
