"""Requests and their second chances: pace, sessions, retry, one renewal of the token."""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import backoff
import requests
from urllib3.exceptions import ReadTimeoutError

from tap_genesys_aggregates.auth import ClientCredentials, grant_request, read_grant
from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.http.errors import (
    SlowError,
    TokenRefusedError,
    TooLargeError,
    TransientError,
    error_of,
)
from tap_genesys_aggregates.http.rate_limit import Pace
from tap_genesys_aggregates.http.response_limits import prepare, read_body
from tap_genesys_aggregates.http.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from backoff.types import Details

    from tap_genesys_aggregates.clock import Clock
    from tap_genesys_aggregates.config.settings import Settings

T = TypeVar("T")
_LOGGER = logging.getLogger("tap-genesys-aggregates")
_LONGEST_BACKOFF = 60.0

_CUT = (
    requests.exceptions.Timeout,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class Transport:
    """Everything that streams share on the way to the API: token, pace, sessions."""

    def __init__(
        self, settings: Settings, clock: Clock, mount: Callable[[requests.Session], None] | None = None
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            settings: Hosts, credentials, pace, retries.
            clock: Time and waiting.
            mount: Prepares each new session, to put another adapter under it.
        """
        self._settings = settings
        self._clock = clock
        self._mount = mount
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._pace = Pace(settings.requests_per_minute, clock.monotonic, clock.sleep)
        self._random = random.Random()  # noqa: S311  # jitter
        self.credentials = ClientCredentials(self._fetch_token, clock.monotonic)

    @property
    def session(self) -> requests.Session:
        """This thread's own session: requests does not promise that one can be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            prepare(session)
            session.auth = self.credentials  # also keeps .netrc from giving other credentials
            if self._mount is not None:
                self._mount(session)
            self._sessions.append(session)
        return session

    def close(self) -> None:
        """Close every session."""
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
    ) -> T:
        """Send a request, again where that can help, and read its answer.

        Args:
            prepared: The request; its token is renewed here.
            read: Makes something of the body; where it cannot, the request is sent again.
            usage: Where the cost is counted.
            divisible: Whether the caller can ask for less, so that a slow answer is not asked for again.

        Returns:
            What ``read`` made.

        Raises:
            TapError: The server refuses, or all tries are used up.
        """
        cost = usage or Usage()
        return self._patiently(lambda: read(self._authorized(prepared, cost)), cost, divisible=divisible)

    def _authorized(self, prepared: requests.PreparedRequest, usage: Usage) -> bytes:
        """One try, with a fresh token and one more on 401."""
        self.credentials(prepared)
        try:
            return self._send(prepared, usage)
        except TokenRefusedError:
            self.credentials.refused(str(prepared.headers["Authorization"]))
            self.credentials(prepared)
            return self._send(prepared, usage)

    def _fetch_token(self) -> bytes:
        """The answer of the token's host."""
        settings, usage = self._settings, Usage()
        request = grant_request(
            settings.hosts.token, settings.client_id, settings.client_secret, settings.user_agent
        )

        def attempt() -> bytes:
            body = self._send(self.session.prepare_request(request), usage, budgeted=False)
            read_grant(body)  # what cannot be read is asked for again, like any other answer
            return body

        try:
            return self._patiently(attempt, usage)
        except (TransientError, UnreadableError, TooLargeError) as error:  # its tries are used up
            raise TapError(error.what, error.advice) from None

    def _send(self, prepared: requests.PreparedRequest, usage: Usage, *, budgeted: bool = True) -> bytes:
        """Send once; the body of a 2xx answer."""
        number = self._turn(budgeted=budgeted)
        usage.requests += 1
        host = urlsplit(prepared.url or "").netloc
        deadline = self._clock.monotonic() + self._settings.request_timeout
        try:
            with self._answer(prepared, number) as response:
                body = read_body(response, lambda: self._clock.monotonic() > deadline)
        except OSError as error:  # what requests raises; a bundle of certificates that is not there
            raise _no_answer(host, error) from None
        usage.bytes += len(body)
        if requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
            return body
        raise error_of(response.status_code, response.headers, body, host=host, now=self._clock.now())

    def _turn(self, *, budgeted: bool) -> int | None:
        """Wait for our turn; the number of the API's budget that it is taken from.

        The token's own requests neither use up that budget nor tell of it: they go to another host, and
        where it is the same one, the next answer of the API has counted them.
        """
        if budgeted:
            return self._pace.begin()
        self._pace.wait()
        return None

    def _answer(self, prepared: requests.PreparedRequest, number: int | None) -> requests.Response:
        """What comes back, its body not yet read; what it says of the budget is taken note of."""
        headers = None
        try:
            response = self.session.send(prepared, **self._options(prepared))
            headers = response.headers
            return response
        finally:
            if number is not None:
                self._pace.end(number, headers)

    def _options(self, prepared: requests.PreparedRequest) -> dict[str, Any]:
        """How to send: time-outs, proxies and certificates by the usual variables, no redirects."""
        return {
            **self.session.merge_environment_settings(prepared.url, {}, stream=True, verify=None, cert=None),
            "timeout": self._settings.request_timeout,
            "allow_redirects": False,
        }

    def _patiently(self, attempt: Callable[[], T], usage: Usage, *, divisible: bool = False) -> T:
        """Try, and try again after what is transient."""
        retry = backoff.on_exception(
            _no_wait,  # the waiting is done by the handler, with the clock that was given
            (TransientError, UnreadableError),
            max_tries=self._settings.max_retries + 1,
            giveup=lambda error: divisible and isinstance(error, SlowError),
            jitter=None,
            on_backoff=lambda details: self._back_off(details, usage),
            logger=None,
        )
        return retry(attempt)()

    def _back_off(self, details: Details, usage: Usage) -> None:
        """Wait as long as the server asks, else twice as long each time, with jitter."""
        usage.retries += 1
        error, tries = details.get("exception"), details["tries"]
        wait = error.retry_after if isinstance(error, TransientError) else None
        if wait is None:
            wait = min(_LONGEST_BACKOFF, 2.0 ** (tries - 1)) * self._random.uniform(0.5, 1.0)
        _LOGGER.warning("Try %d failed, again in %.1f s: %s", tries, wait, error)
        if isinstance(error, TransientError) and error.throttled:
            self._pace.hold(wait)
        self._clock.sleep(wait)


def _no_wait() -> Generator[float, None, None]:
    """Backoff's own waiting: none."""
    while True:
        yield 0


def _no_answer(host: str, error: OSError) -> TapError:
    """The error that a request without a whole answer means."""
    kind = type(error).__name__
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        what = f"the certificate of {host} is not one to trust"
        return TapError(what, "Check base_url and region; your own authority goes in REQUESTS_CA_BUNDLE")
    if not isinstance(error, _CUT):
        what = f"the request to {host} could not be sent ({kind})"
        return TapError(what, "Check base_url, region, token_url, proxy settings and REQUESTS_CA_BUNDLE")
    # While the body is read, requests tells a time-out as a ConnectionError.
    causes = (error, *error.args)
    slow = any(isinstance(each, requests.exceptions.ReadTimeout | ReadTimeoutError) for each in causes)
    cut = f"{host} gave no whole answer ({kind})"
    return (SlowError if slow else TransientError)(cut, "Check the network, and request_timeout")
