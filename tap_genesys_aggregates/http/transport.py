"""Sends requests: the token, the rate limit, retries, and one session per thread."""

from __future__ import annotations

import logging
import random
import threading
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import backoff
import requests

from tap_genesys_aggregates.auth import ClientCredentials, read_token, token_request
from tap_genesys_aggregates.config.reader import is_this_machine
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.http.errors import (
    DeniedError,
    NoTokenError,
    OtherHostError,
    RefusedError,
    SlowError,
    TokenRefusedError,
    TransientError,
    error_for_response,
    server_time,
)
from tap_genesys_aggregates.http.network_errors import Route, network_error
from tap_genesys_aggregates.http.rate_limit import RateLimiter
from tap_genesys_aggregates.http.response_limits import configure_session, read_body
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from datetime import datetime

    from backoff.types import Details

    from tap_genesys_aggregates.clock import ServerClock
    from tap_genesys_aggregates.config.settings import Settings

T = TypeVar("T")
_LOGGER = logging.getLogger("tap-genesys-aggregates")
_MAX_BACKOFF = 60.0
_MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
_CLOCK_AHEAD = "This run goes by the server's time, so that no bucket counts as complete too early"
_CLOCK_BEHIND = "This run goes by the machine's time, so the newest buckets are left to a later run"


class _Received(NamedTuple):
    """A response that counts as an answer."""

    body: bytes
    headers: Mapping[str, str]


class Transport:
    """What all streams of a run share to reach the API: one token, one rate limit, a session per thread."""

    def __init__(
        self, settings: Settings, clock: ServerClock, mount: Callable[[requests.Session], None] | None = None
    ) -> None:
        """Set up without sending anything.

        Args:
            settings: Hosts, credentials, rate limit, timeout and retries.
            clock: Tells the time and waits.
            mount: Called with each new session, to mount another adapter.
        """
        self._settings = settings
        self._clock = clock
        self._mount = mount
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._rate_limiter = RateLimiter(settings.requests_per_minute, clock.monotonic, clock.sleep)
        self._random = random.Random()  # noqa: S311  # jitter
        self.credentials = ClientCredentials(self._fetch_token, clock.monotonic)

    @property
    def session(self) -> requests.Session:
        """This thread's session: requests does not promise that a session is thread-safe."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            configure_session(session)
            session.auth = self.credentials  # without it, requests would send credentials from .netrc
            if self._mount is not None:
                self._mount(session)
            self._sessions.append(session)
        return session

    def close(self) -> None:
        """Close the sessions of all threads."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()

    def fetch(
        self,
        prepared: requests.PreparedRequest,
        read: Callable[[bytes], T],
        *,
        usage: Usage | None = None,
        divisible: bool = False,
        any_success: bool = False,
    ) -> T:
        """Send a request, with retries, and read the response.

        Args:
            prepared: The request; its token is set here.
            read: Parses the body. On ``UnreadableError`` the request is sent again, since a proxy may have
                cut or replaced the body.
            usage: Where requests, retries and bytes are counted.
            divisible: Whether the caller can ask for a shorter window. Then a slow response is not retried:
                it would most likely be slow again.
            any_success: Whether any 2xx status is an answer; by default only 200 is.

        Returns:
            What ``read`` returned.

        Raises:
            TapError: The server rejects the request, or all retries failed.
        """
        usage = usage or Usage()
        return self._with_retries(
            lambda: read(self._send_authorized(prepared, usage, any_success=any_success)),
            usage,
            divisible=divisible,
        )

    def _send_authorized(
        self, prepared: requests.PreparedRequest, usage: Usage, *, any_success: bool
    ) -> bytes:
        """Send with a valid token; on 401, renew it and send once more (docs/api-notes.md, "Tokens").

        A token can be revoked before it expires. A second 401 means that the client itself is refused.
        """
        self.credentials(prepared)
        try:
            return self._send(prepared, usage, any_success=any_success).body
        except TokenRefusedError:
            self.credentials.invalidate(str(prepared.headers["Authorization"]))
            self.credentials(prepared)
            return self._send(prepared, usage, any_success=any_success).body

    def _fetch_token(self) -> bytes:
        """Request a token and return the body of the response."""
        settings, usage = self._settings, Usage()
        request = token_request(
            settings.hosts.token, settings.client_id, settings.client_secret, settings.user_agent
        )

        def attempt() -> _Received:
            prepared = self.session.prepare_request(request)
            received = self._send(prepared, usage, is_api=False, any_success=True)
            read_token(received.body)  # so that an unreadable body is retried
            return received

        try:
            received = self._with_retries(attempt, usage)
        except TapError as error:
            if isinstance(error, TokenRefusedError | OtherHostError):
                raise
            refused = isinstance(error, RefusedError | DeniedError)
            advice = "Check client_id, client_secret, region and token_url" if refused else error.advice
            # Not an error of the request that needed the token, which would retry it all again.
            raise NoTokenError(f"no token could be obtained: {error.what}", advice) from error.__cause__
        self._synchronize(server_time(received.headers))
        return received.body

    def _synchronize(self, server: datetime | None) -> None:
        """Compare the clock with the server's; warn if they differ by minutes."""
        ahead = self._clock.synchronize(server)
        if server is None or ahead is None or abs(ahead) <= _MAX_CLOCK_DIFFERENCE:
            return
        is_ahead = ahead > timedelta()
        _LOGGER.warning(
            "The clock of this machine is %s %s the clock of %s: %s here, %s there. %s. Correct the clock",
            abs(timedelta(seconds=round(ahead.total_seconds()))),
            "ahead of" if is_ahead else "behind",
            urlsplit(self._settings.hosts.token).netloc,
            instants.text(server + ahead),
            instants.text(server),
            _CLOCK_AHEAD if is_ahead else _CLOCK_BEHIND,
        )

    def _send(
        self, prepared: requests.PreparedRequest, usage: Usage, *, any_success: bool, is_api: bool = True
    ) -> _Received:
        """Send once and return the answer."""
        generation = self._wait_for_turn(is_api=is_api)
        usage.requests += 1
        host = urlsplit(prepared.url or "").netloc
        began = self._clock.monotonic()
        deadline = began + self._settings.request_timeout
        try:
            with self._open(prepared, generation) as response:
                body = read_body(response, lambda: self._clock.monotonic() > deadline)
        except OSError as error:  # every error of requests, and a CA bundle that does not exist
            found = network_error(self._route(prepared), error)
            raise found from found.__cause__
        usage.bytes += len(body)
        status = response.status_code
        if status == HTTPStatus.OK or (any_success and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES):
            usage.slowest = max(usage.slowest, self._clock.monotonic() - began)
            return _Received(body, response.headers)
        raise error_for_response(status, response.headers, body, host=host, now=self._clock.now())

    def _wait_for_turn(self, *, is_api: bool) -> int | None:
        """Wait for the rate limit; return the generation of the API's budget, if it applies.

        Token requests do not use that budget: they go to another host. If it is the same host after all,
        the next response of the API has counted them.
        """
        if is_api:
            return self._rate_limiter.start_request()
        self._rate_limiter.wait()
        return None

    def _open(self, prepared: requests.PreparedRequest, generation: int | None) -> requests.Response:
        """Send and return the response, its body unread; its rate-limit headers count at once."""
        headers = None
        try:
            response = self.session.send(prepared, **self._send_options(prepared))
            headers = response.headers
            return response
        finally:
            if generation is not None:
                self._rate_limiter.finish_request(generation, headers)

    def _send_options(self, prepared: requests.PreparedRequest) -> dict[str, Any]:
        """Timeout, the proxies and certificates of the environment, and no redirects.

        ``Session.send`` does not read the environment, and a redirect would hand the token to another host.
        """
        options = self.session.merge_environment_settings(
            prepared.url, {}, stream=True, verify=None, cert=None
        )
        if is_this_machine(urlsplit(prepared.url or "").hostname or ""):
            options["proxies"] = {}  # plain http is allowed here, and a proxy would see the secret in it
        return {**options, "timeout": self._settings.request_timeout, "allow_redirects": False}

    def _route(self, prepared: requests.PreparedRequest) -> Route:
        """Where a request went, for the message about its fault."""
        proxies = self._send_options(prepared)["proxies"]
        return Route.of(prepared.url or "", proxies, self._settings.request_timeout)

    def _with_retries(self, attempt: Callable[[], T], usage: Usage, *, divisible: bool = False) -> T:
        """Call ``attempt`` until it succeeds, fails for good, or ``max_retries`` is used up.

        urllib3's retries cannot see that a body is unreadable, and the SDK's ignore ``Retry-After``; neither
        waits on the injected clock. So backoff, which the SDK depends on anyway, counts the attempts. Its own
        waiting is turned off: ``_back_off`` waits on the clock instead.
        """
        retry = backoff.on_exception(
            _no_wait,
            (TransientError, UnreadableError),
            max_tries=self._settings.max_retries + 1,
            giveup=lambda error: divisible and isinstance(error, SlowError),
            jitter=None,
            on_backoff=lambda details: self._back_off(details, usage),
            logger=None,
        )
        return retry(attempt)()

    def _back_off(self, details: Details, usage: Usage) -> None:
        """Wait with exponential backoff and jitter, or longer if ``Retry-After`` says so.

        A server that sends 0 or a date in the past would otherwise be asked again at once, until
        ``max_retries`` is used up.
        """
        usage.retries += 1
        error, attempts = details.get("exception"), details["tries"]
        # Jitter, so that programs that failed together do not retry together.
        wait = min(_MAX_BACKOFF, 2.0 ** (attempts - 1)) * self._random.uniform(0.5, 1.0)
        if isinstance(error, TransientError) and error.retry_after is not None:
            wait = max(wait, error.retry_after)
        _LOGGER.warning("Attempt %d failed; retrying in %.1f s: %s", attempts, wait, error)
        if isinstance(error, TransientError) and error.throttled:
            self._rate_limiter.pause_all(wait)
        self._clock.sleep(wait)


def _no_wait() -> Generator[float, None, None]:
    """A wait generator for backoff that never waits."""
    while True:
        yield 0
