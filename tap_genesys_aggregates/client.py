"""The REST stream of this tap: how a window is asked for, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from singer_sdk.pagination import BaseAPIPaginator
from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import HTTPRequest, PageContext
from typing_extensions import override
from urllib3.util import parse_url

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.dialects.protocol import Page
from tap_genesys_aggregates.http.errors import OtherHostError
from tap_genesys_aggregates.http.response_limits import check_window

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests
    from requests import Response
    from singer_sdk.helpers.types import Auth
    from singer_sdk.tap_base import Tap

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.config.settings import Settings
    from tap_genesys_aggregates.dialects.protocol import Call, Dialect
    from tap_genesys_aggregates.extract.async_jobs import Jobs
    from tap_genesys_aggregates.extract.progress import Progress
    from tap_genesys_aggregates.extract.pulling import Ask
    from tap_genesys_aggregates.http.transport import Transport
    from tap_genesys_aggregates.http.usage import Usage

T = TypeVar("T")


class LinkPaginator(BaseAPIPaginator["str | None"]):
    """Follows ``links.next`` until it is absent, null or empty (group-tree.md, rule 1).

    A page without entities is not the end. A link to another scheme, host or port is refused, since
    it would be handed the token, and so is one that was followed before.
    """

    def __init__(self, url: str, read: Callable[[bytes], Page]) -> None:
        """Begin at the first page.

        Args:
            url: The first page's URL: links are relative to it and must stay on its host.
            read: Reads a body, for those that advance with a response.
        """
        super().__init__(None)
        self._url = url
        self._read = read
        self._followed: set[str] = set()

    @override
    def continue_if_empty(self, response: Response) -> bool:
        return True

    @override
    def advance(self, response: Response | Page) -> None:
        super().advance(response)  # type: ignore[arg-type]  # it only hands it on to get_next

    @override
    def get_next(self, response: Response | Page) -> str | None:
        page = response if isinstance(response, Page) else self._read(response.content)
        if not page.next:
            return None
        link = _resolved(self._url, page.next)
        if _origin(link) != _origin(self._url):
            msg = f"the next page's link leads away from {_origin(self._url)}, to {_origin(link)[:200]}"
            raise OtherHostError(
                msg, "It is not followed, because it would be handed the token: check base_url"
            )
        if link in self._followed:
            msg = f"the next page's link was followed before (after {len(self._followed)} pages)"
            raise UnreadableError(
                msg, "The server's pages go round in a circle: please report it to its owner"
            )
        self._followed.add(link)
        return link


def _resolved(url: str, link: str) -> str:
    """A link as an absolute URL; empty where it is none, which leads nowhere good."""
    try:
        return urljoin(url, link)
    except ValueError:
        return ""


def _origin(url: str) -> str:
    """Scheme, host and port as the request library reads them; user-info spoils it on purpose."""
    try:
        parts = parse_url(url)
    except ValueError:
        return "no URL"
    ports = {"http": 80, "https": 443}
    user = f"{'*' * 3}@" if parts.auth is not None else ""
    scheme = (parts.scheme or "").lower()
    return f"{scheme}://{user}{(parts.host or '').lower()}:{parts.port or ports.get(scheme)}"


@dataclass(frozen=True, slots=True)
class Run:
    """What the streams of one run share."""

    settings: Settings
    transport: Transport
    clock: Clock
    progress: Progress


class GenesysStream(RESTStream["str | None"]):
    """What streams of this tap share: host, token, sessions, retries come from the transport."""

    dialect: Dialect
    jobs: Jobs | None = None
    allow_redirects = False

    def __init__(self, tap: Tap, name: str, schema: dict[str, object], run: Run) -> None:
        """Begin a stream.

        Args:
            tap: The tap.
            name: The stream's name.
            schema: Its JSON schema.
            run: What all streams share.
        """
        self._run = run
        super().__init__(tap, name=name, schema=schema)

    @property
    @override
    def url_base(self) -> str:
        return self._run.settings.hosts.api

    @property
    @override
    def authenticator(self) -> Auth:
        return self._run.transport.credentials

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self._run.transport.session

    @override
    def get_http_request(self, *, page: PageContext[str | None]) -> HTTPRequest:
        ask: Ask = (page.stream_context or {})["ask"]
        return self._http_request(self.dialect.call(ask.window, page.next_page_token, ask.users))

    def absolute(self, url: str) -> str:
        """A path on the API's host, which may lie behind a path of its own; a link as it is."""
        return f"{self.url_base}{url}" if url.startswith("/") else url

    def _http_request(self, call: Call) -> HTTPRequest:
        """A call of the contract as the SDK's request."""
        return HTTPRequest(
            url=self.absolute(call.url),
            method=call.method,
            params=dict(call.params or {}),
            headers={"Accept": "application/json", "Content-Type": "application/json"},
            data=call.body,
        )

    def send(self, call: Call, read: Callable[[bytes], T], usage: Usage, *, divisible: bool = False) -> T:
        """Send a single call, as pages are sent.

        Args:
            call: What to send.
            read: Makes something of the body.
            usage: Where the cost is counted.
            divisible: Whether the caller can ask for less.

        Returns:
            What ``read`` made.

        Raises:
            TapError: There is no answer to be had.
        """
        request = self._http_request(call)
        prepared = self.build_prepared_request(
            method=request.method,
            url=request.url,
            params=request.encode_params(),
            headers=request.headers,
            json=request.data,
        )
        return self._run.transport.fetch(prepared, read, usage=usage, divisible=divisible)

    def pages(self, ask: Ask, usage: Usage) -> list[Page]:
        """Every page of a window, by a job where the query wants that.

        Args:
            ask: What to ask for.
            usage: Where the cost is counted.

        Returns:
            The pages, in order.

        Raises:
            TapError: One is not to be had.
        """
        if self.jobs is not None:
            return self.jobs.pages(ask, usage)
        paginator = self.paginator(ask)
        found: list[Page] = []
        before = usage.bytes
        while not paginator.finished:
            prepared = self._prepare_request(context={"ask": ask}, page=paginator)
            page = self._run.transport.fetch(
                prepared,
                lambda body: self.dialect.read(body, ask.window),
                usage=usage,
                divisible=ask.divisible,
            )
            found.append(page)
            check_window(len(found), usage.bytes - before)
            paginator.advance(page)
        return found

    def paginator(self, ask: Ask) -> LinkPaginator:
        """A paginator for one window."""
        first = self.absolute(self.dialect.call(ask.window, None).url)
        return LinkPaginator(first, lambda body: self.dialect.read(body, ask.window))
