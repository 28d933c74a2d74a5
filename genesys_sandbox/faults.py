"""Faults on demand: what platforms, gateways and networks do on a bad day.

A plan is any function from the number of a request (from 1, in order of arrival) and the request to a
`Fault` or None; `Rules` is a plan made of rules. Every fault works over sockets and in process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from genesys_sandbox.events import digest
from genesys_sandbox.http_messages import ApiError, Delivery, Request, Response

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Edit: TypeAlias = Callable[[Request, Response], Response]

_CODES = {
    400: "bad.request",
    401: "bad.credentials",
    403: "missing.permissions",
    408: "request.timeout",
    413: "request.too.large",
    429: "too.many.requests",
    500: "internal.server.error",
    502: "bad.gateway",
    503: "service.unavailable",
    504: "request.timeout",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        name: How the sandbox's log calls it.
        instead: Answers in place of the sandbox, which then never sees the request.
        edit: Changes the sandbox's answer.
        transport: How the answer travels.
        delay: Seconds before it.
    """

    name: str
    instead: Callable[[str], Response] | None = None
    edit: Edit | None = None
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0

    def apply(self, request: Request, response: Response) -> Response:
        """The answer as this fault leaves it."""
        spoiled = self.edit(request, response) if self.edit else response
        return replace(spoiled, delivery=self.delivery, delay=spoiled.delay + self.delay)


Plan: TypeAlias = Callable[[int, Request], "Fault | None"]


def status(code: int, retry_after: str | None = None) -> Fault:
    """The platform's error of a status; `retry_after` stands in `Retry-After` as it is."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    message = f"A fault was asked for: {code}"
    error = ApiError(code, _CODES.get(code, "internal.server.error"), message, {}, headers)
    return Fault(f"status {code}", instead=error.response)


def http_date(instant: datetime) -> str:
    """An aware UTC instant as `Retry-After` may give it."""
    return format_datetime(instant, usegmt=True)


def reset_before() -> Fault:
    """The connection is reset before any byte of the answer."""
    return Fault("reset before", delivery=Delivery.RESET_BEFORE)


def reset_after_headers() -> Fault:
    """The connection is reset once the headers are out."""
    return Fault("reset after headers", delivery=Delivery.RESET_AFTER_HEADERS)


def reset_mid_body() -> Fault:
    """The connection is reset when half of the body is out."""
    return Fault("reset mid body", delivery=Delivery.RESET_MID_BODY)


def reset_after() -> Fault:
    """The whole answer; then the connection that was kept alive is reset by the next request on it."""
    return Fault("reset after", delivery=Delivery.RESET_AFTER)


def drip() -> Fault:
    """The answer comes in small pieces, for less than half a second in all."""
    return Fault("drip", delivery=Delivery.DRIP)


def delay(seconds: float) -> Fault:
    """The right answer, late."""
    return Fault("delay", delay=seconds)


def cut_json() -> Fault:
    """A complete answer whose JSON stops in the middle."""
    return Fault(
        "cut JSON", edit=lambda _, response: replace(response, body=response.body[: len(response.body) // 2])
    )


def garbled_json() -> Fault:
    """A complete answer whose JSON has bytes in it that are no text."""
    return Fault(
        "garbled JSON",
        edit=lambda _, response: replace(
            response, body=response.body[:1] + b"\xff\xfe\x00" + response.body[3:]
        ),
    )


def html(code: int = 200) -> Fault:
    """A proxy's page in place of JSON."""
    page = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"
    return Fault("HTML", instead=lambda _: Response(code, {"Content-Type": "text/html"}, page))


def redirect(location: str, code: int = 307) -> Fault:
    """A redirect to somewhere else."""
    return Fault("redirect", instead=lambda _: Response(code, {"Location": location}))


def put(path: Sequence[str | int], value: object) -> Fault:
    """Another value at a place of the JSON: `put(("results", 0, "data"), None)`; `"*"` is every item."""
    return Fault(
        f"put {value!r}", edit=lambda _, response: _edited(response, lambda body: _put(body, path, value))
    )


def same_page() -> Fault:
    """The link to the next page leads back to the page itself; for any page that was found by a link."""
    return Fault("same page", edit=_link_back)


@dataclass(slots=True)
class Rule:
    """When a fault happens.

    Attributes:
        match: A part of the request's method and target, such as `POST /oauth` or `cursor=`.
        after: So many matching requests go well first.
        times: How often it happens; None for ever.
        every: Of the requests that are left, each so-manyeth.
    """

    fault: Fault
    match: str = ""
    after: int = 0
    times: int | None = 1
    every: int = 1
    seen: int = field(default=0, init=False)

    def applies(self, request: Request) -> bool:
        """Whether it happens to this request, which is counted."""
        if self.match not in f"{request.method} {request.target}":
            return False
        self.seen += 1
        turn, off = divmod(self.seen - self.after - 1, self.every)
        return turn >= 0 and off == 0 and (self.times is None or turn < self.times)


class Rules:
    """A plan of rules; the first that applies counts, and all count their requests."""

    def __init__(self, *rules: Rule) -> None:
        """Follow these rules."""
        self._rules = rules
        self._lock = threading.Lock()

    def __call__(self, number: int, request: Request) -> Fault | None:
        """The fault of one request."""
        del number
        with self._lock:
            faults = [rule.fault for rule in self._rules if rule.applies(request)]
        return faults[0] if faults else None


def random_faults(share: float, seed: int = 7) -> Plan:
    """A plan for demonstrations: a share of all requests meets something that a retry mends."""
    usual = (status(429, "1"), status(503), status(502), reset_before(), reset_mid_body(), cut_json())

    def plan(number: int, request: Request) -> Fault | None:
        del request
        roll = digest("sprinkle", seed, number)
        return usual[roll % len(usual)] if roll % 10_007 < share * 10_007 else None

    return plan


def _edited(response: Response, change: Callable[[Any], None]) -> Response:
    try:
        body = json.loads(response.body)
    except ValueError:
        return response
    change(body)
    return replace(response, body=json.dumps(body).encode())


def _put(body: Any, path: Sequence[str | int], value: object) -> None:  # noqa: ANN401 - JSON
    *way, last = path
    places = [body]
    for step in way:
        places = [inner for place in places for inner in (place if step == "*" else [place[step]])]
    for place in places:
        for key in range(len(place)) if last == "*" else [last]:
            place[key] = value


def _link_back(request: Request, response: Response) -> Response:
    def change(body: Any) -> None:  # noqa: ANN401 - JSON
        if "links" in body:
            body["links"]["next"] = request.target
        elif "cursor" in request.query:
            body["cursor"] = request.query["cursor"]
        else:
            body["nextUri"] = request.target

    return _edited(response, change) if urlsplit(request.target).query else response
