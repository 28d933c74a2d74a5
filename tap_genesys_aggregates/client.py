"""The client: asks Genesys Cloud for a window, page by page. It needs settings and a clock, not a Tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

import requests
from singer_sdk.pagination import BaseAPIPaginator
from typing_extensions import override
from urllib3.util import parse_url

from tap_genesys_aggregates.clock import ServerClock
from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.dialects.protocol import Page
from tap_genesys_aggregates.http.errors import OtherHostError
from tap_genesys_aggregates.http.response_limits import check_window
from tap_genesys_aggregates.http.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.config.settings import Settings
    from tap_genesys_aggregates.dialects.protocol import Call, Dialect, WindowRequest
    from tap_genesys_aggregates.http.usage import Usage

T = TypeVar("T")


class Client:
    """One organization's API: everything that its requests share, in any number of threads.

    The aggregate streams, ``--test``, ``reconcile`` and the lookups all send through one of these, so
    they share its token, its rate limit and its retries.
    """

    def __init__(
        self, settings: Settings, clock: Clock, mount: Callable[[requests.Session], None] | None = None
    ) -> None:
        """Prepare the client; no request is sent yet.

        Args:
            settings: Hosts, credentials, rate limit, retries.
            clock: Time and sleeping.
            mount: Called with each new HTTP session, to mount another adapter on it.
        """
        self.settings = settings
        self.clock = ServerClock(clock)
        self.transport = Transport(settings, self.clock, mount)

    def now(self) -> datetime:
        """The current time, by the earlier of the machine's clock and the server's.

        Raises:
            TapError: No token could be obtained; its answer tells the server's time.
        """
        self.transport.credentials.token()
        return self.clock.now()

    def close(self) -> None:
        """Close every HTTP session."""
        self.transport.close()

    def url(self, path: str) -> str:
        """The URL of a path; a URL is returned as it is.

        ``base_url`` may itself have a path, for a gateway that serves the API under a prefix.
        """
        return f"{self.settings.hosts.api}{path}" if path.startswith("/") else path

    def prepare(self, call: Call) -> requests.PreparedRequest:
        """Turn a dialect's call into an HTTP request; the transport adds the token when it sends it."""
        request = requests.Request(
            method=call.method,
            url=self.url(call.url),
            params=dict(call.params or {}),
            json=call.body,
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": self.settings.user_agent,
            },
            auth=_no_auth,
        )
        return self.transport.session.prepare_request(request)

    def send(self, call: Call, read: Callable[[bytes], T], usage: Usage, *, divisible: bool = False) -> T:
        """Send one call and read its answer.

        Args:
            call: What to send.
            read: Parses the body of the answer.
            usage: Counts the requests, retries and bytes.
            divisible: Whether the caller can ask for a shorter window instead of waiting for a slow answer.

        Returns:
            What ``read`` returned.

        Raises:
            TapError: The server refused, or every attempt failed.
        """
        return self.transport.fetch(
            self.prepare(call), read, usage=usage, divisible=divisible, any_success=call.any_success
        )

    def pages(self, dialect: Dialect, request: WindowRequest, usage: Usage) -> list[Page]:
        """Every page of a window.

        Args:
            dialect: How to ask and how to read the answer.
            request: What to ask for.
            usage: Counts the requests, retries and bytes.

        Returns:
            The pages, in order.

        Raises:
            TapError: A page could not be fetched or read.
        """

        def read(body: bytes) -> Page:
            return dialect.read(body, request.window)

        def call(link: str | None) -> Call:
            return dialect.call(request.window, link, request.users)

        paginator = LinkPaginator(self.url(call(None).url), read)
        found: list[Page] = []
        before = usage.bytes
        while not paginator.finished:
            page = self.send(call(paginator.current_value), read, usage, divisible=request.divisible)
            found.append(page)
            check_window(len(found), usage.bytes - before)
            paginator.advance(page)
        return found


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the token out: fetching one is part of sending, where it is timed and retried."""
    return request


class LinkPaginator(BaseAPIPaginator["str | None"]):
    """Follows ``links.next`` until it is absent, null or empty.

    A page without entities is not the last one. A link to another scheme, host or port is refused,
    because following it would send the token there, and so is a link that was already followed
    (docs/api-notes.md, "Group tree: paging").
    """

    def __init__(self, url: str, read: Callable[[bytes], Page]) -> None:
        """Start at the first page.

        Args:
            url: URL of the first page; links are relative to it and must stay on its host.
            read: Parses a body, for callers that advance with a response.
        """
        super().__init__(None)
        self._url = url
        self._read = read
        self._followed: set[str] = set()

    @override
    def continue_if_empty(self, response: requests.Response) -> bool:
        return True

    @override
    def advance(self, response: requests.Response | Page) -> None:
        super().advance(response)  # type: ignore[arg-type]  # it only passes it to get_next

    @override
    def get_next(self, response: requests.Response | Page) -> str | None:
        page = response if isinstance(response, Page) else self._read(response.content)
        if not page.next:
            return None
        link = _resolved(self._url, page.next)
        if _origin(link) != _origin(self._url):
            what = f"the link to the next page leads away from {_origin(self._url)}, to {_origin(link)[:200]}"
            raise OtherHostError(
                what, "It was not followed, because the token would be sent there. Check base_url"
            )
        if link in self._followed:
            what = f"the link to the next page was already followed (after {len(self._followed)} pages)"
            raise UnreadableError(what, "The server's pages form a loop: report it to the server's owner")
        self._followed.add(link)
        return link


def _resolved(url: str, link: str) -> str:
    """A link as an absolute URL; empty if it is malformed, which no origin matches."""
    try:
        return urljoin(url, link)
    except ValueError:
        return ""


def _origin(url: str) -> str:
    """Scheme, host and port, parsed by the library that would send the request.

    Another parser might see another host in the same text. User info is kept, masked, so that a URL with
    it never equals one without.
    """
    try:
        parts = parse_url(url)
    except ValueError:
        return "no URL"
    ports = {"http": 80, "https": 443}
    user = f"{'*' * 3}@" if parts.auth is not None else ""
    scheme = (parts.scheme or "").lower()
    return f"{scheme}://{user}{(parts.host or '').lower()}:{parts.port or ports.get(scheme)}"
