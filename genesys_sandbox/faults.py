"""Fault injection: what platforms, gateways and networks do on a bad day.

A plan is a function that takes the number of a request (from 1, in order of arrival) and the request, and
returns a `Fault` or None. `Rules` is a plan made of rules. Every fault works over sockets and in process.
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
from genesys_sandbox.http_messages import ApiError, Delivery, Request, Response, json_response

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
        name: The name in the sandbox's log.
        instead: Builds a response in place of the sandbox, which then never sees the request.
        edit: Changes the sandbox's response.
        delivery: How the response is sent.
        delay: Seconds before it is sent.
    """

    name: str
    instead: Callable[[str], Response] | None = None
    edit: Edit | None = None
    delivery: Delivery = Delivery.WHOLE
    delay: float = 0.0

    def apply(self, request: Request, response: Response) -> Response:
        """Return the response with the fault applied."""
        edited = self.edit(request, response) if self.edit else response
        return replace(edited, delivery=self.delivery, delay=edited.delay + self.delay)


Plan: TypeAlias = Callable[[int, Request], "Fault | None"]


def status(code: int, retry_after: str | None = None) -> Fault:
    """The platform's error response; `retry_after` is sent as `Retry-After`, unchanged."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    message = f"Injected fault: {code}"
    error = ApiError(code, _CODES.get(code, "internal.server.error"), message, {}, headers)
    return Fault(f"status {code}", instead=error.response)


def http_date(instant: datetime) -> str:
    """Format an aware UTC datetime as an HTTP date, one of the two forms of `Retry-After`."""
    return format_datetime(instant, usegmt=True)


def reset_before() -> Fault:
    """The connection is reset before the first byte of the response."""
    return Fault("reset before", delivery=Delivery.RESET_BEFORE)


def reset_after_headers() -> Fault:
    """The connection is reset after the headers."""
    return Fault("reset after headers", delivery=Delivery.RESET_AFTER_HEADERS)


def reset_mid_body() -> Fault:
    """The connection is reset halfway through the body."""
    return Fault("reset mid body", delivery=Delivery.RESET_MID_BODY)


def reset_after() -> Fault:
    """The response is complete, but the next request on the kept-alive connection is reset."""
    return Fault("reset after", delivery=Delivery.RESET_AFTER)


def drip() -> Fault:
    """The response arrives in small pieces, over less than half a second."""
    return Fault("drip", delivery=Delivery.DRIP)


def delay(seconds: float) -> Fault:
    """The correct response, late."""
    return Fault("delay", delay=seconds)


def cut_json() -> Fault:
    """A complete response whose JSON ends in the middle."""
    return Fault(
        "cut JSON", edit=lambda _, response: replace(response, body=response.body[: len(response.body) // 2])
    )


def garbled_json() -> Fault:
    """A complete response whose JSON contains bytes that are not valid UTF-8."""
    return Fault(
        "garbled JSON",
        edit=lambda _, response: replace(
            response, body=response.body[:1] + b"\xff\xfe\x00" + response.body[3:]
        ),
    )


def html(code: int = 200) -> Fault:
    """A proxy's HTML page in place of JSON."""
    page = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"
    return Fault("HTML", instead=lambda _: Response(code, {"Content-Type": "text/html"}, page))


def error_in_200(body: object = None) -> Fault:
    """An error with status 200, as some gateways send; by default one that is documented nowhere."""
    said = {"error": "Upstream unavailable", "status": 503} if body is None else body
    return Fault("error in a 200", instead=lambda _: json_response(said))


def accepted(code: int = 202, body: object = None) -> Fault:
    """A success other than 200, which says nothing; by default with `{}`."""
    return Fault(f"status {code}", instead=lambda _: json_response({} if body is None else body, code))


def dated(date: str | None) -> Fault:
    """The correct response with another `Date` header, sent unchanged; None for none."""

    def edit(_: Request, response: Response) -> Response:
        headers = {name: value for name, value in response.headers.items() if name != "Date"}
        return replace(response, headers=headers if date is None else {**headers, "Date": date})

    return Fault(f"Date: {date}", edit=edit)


def redirect(location: str, code: int = 307) -> Fault:
    """A redirect to another location."""
    return Fault("redirect", instead=lambda _: Response(code, {"Location": location}))


def put(path: Sequence[str | int], value: object) -> Fault:
    """Replace a value in the JSON: `put(("results", 0, "data"), None)`; `"*"` means every item."""
    return Fault(
        f"put {value!r}", edit=lambda _, response: _edited(response, lambda body: _put(body, path, value))
    )


def same_page() -> Fault:
    """The link to the next page points to the same page. Only affects pages requested by a link."""
    return Fault("same page", edit=_link_back)


@dataclass(slots=True)
class Rule:
    """When a fault happens.

    Attributes:
        match: Part of the request's method and target, such as `POST /oauth` or `cursor=`.
        after: How many matching requests succeed first.
        times: How often it happens; None for always.
        every: Of the remaining matching requests, every n-th one fails.
    """

    fault: Fault
    match: str = ""
    after: int = 0
    times: int | None = 1
    every: int = 1
    seen: int = field(default=0, init=False)

    def applies(self, request: Request) -> bool:
        """Count a matching request and return whether the fault happens to it."""
        if self.match not in f"{request.method} {request.target}":
            return False
        self.seen += 1
        turn, off = divmod(self.seen - self.after - 1, self.every)
        return turn >= 0 and off == 0 and (self.times is None or turn < self.times)


class Rules:
    """A plan made of rules. Every rule counts every request; the first one that applies wins."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules
        self._lock = threading.Lock()

    def __call__(self, number: int, request: Request) -> Fault | None:
        del number
        with self._lock:
            faults = [rule.fault for rule in self._rules if rule.applies(request)]
        return faults[0] if faults else None


def random_faults(share: float, seed: int = 7) -> Plan:
    """A plan for demos: a share of all requests fails in a way that a retry fixes."""
    faults = (status(429, "1"), status(503), status(502), reset_before(), reset_mid_body(), cut_json())

    def plan(number: int, request: Request) -> Fault | None:
        del request
        drawn = digest("sprinkle", seed, number)
        return faults[drawn % len(faults)] if drawn % 10_007 < share * 10_007 else None

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
