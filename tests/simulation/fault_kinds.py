"""The kinds of faults that a request can meet: those that a retry fixes, and those that may end a run.

Except at the level ``malformed``, none of them is a wrong answer that looks like a right one, such as another
count, or a null that the API uses for "nothing happened" (`results: null`, a group without `data`). The tap
must reject what these faults send, or can ignore it, such as extra fields.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault, Response, faults
from genesys_sandbox.group_tree_endpoint import PATH as TREE_PATH
from genesys_sandbox.http_messages import json_response
from genesys_sandbox.sandbox import TOKEN_PATH
from tests.simulation.malformed_answers import (
    change_any_value,
    change_last_row,
    edit_json,
    repeat_last_row,
    set_next_link,
)
from tests.simulation.tap_run import DRIP

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

    from tests.simulation.scenario import FaultLevel

PAGE_TWICE = "page twice"
"""The name of a fault that only `PageOrder` can make, since it must know the pages before."""

_LONGEST_WAIT = 300.0
_SHORTEST_BACKOFF = 0.5
_OTHER_HOST = "https://elsewhere.invalid/api/v2/next"


@dataclass(frozen=True, slots=True)
class Injection:
    """What happens to one request.

    Attributes:
        name: Its kind, for the summary.
        fault: What the sandbox answers, if that changes.
        not_before: No further request may come before this instant.
        clock_jump: Seconds by which all clocks jump forward.
        clock_set_back: Seconds by which the machine's clock is set back.
        revokes_tokens: Whether all tokens become invalid.
        needs_new_token: Whether the tap will have to get another token.
    """

    name: str
    fault: Fault | None = None
    not_before: datetime | None = None
    clock_jump: float | None = None
    clock_set_back: float | None = None
    revokes_tokens: bool = False
    needs_new_token: bool = False


if TYPE_CHECKING:
    Kind = Callable[[Random, datetime], Injection]


def draw(rng: Random, level: FaultLevel, path: str, now: datetime) -> Injection:
    """Draw what happens to a request for a path, at a level of faults; headers with dates need ``now``."""
    kinds: list[Kind] = [*(_RETRYABLE * 2)]
    kinds += _RETRYABLE_FOR_TOKENS if path == TOKEN_PATH else _RETRYABLE_FOR_DATA
    if level != "retryable":
        kinds += _fatal_kinds(path)
    if level == "malformed":
        kinds += [_malformed] * len(kinds)
    return rng.choice(kinds)(rng, now)


def _fatal_kinds(path: str) -> list[Kind]:
    if path == TOKEN_PATH:
        return _FATAL_FOR_TOKENS
    return [*_FATAL_FOR_DATA, *(_FATAL_FOR_TREES if path == TREE_PATH else ())]


def _malformed(rng: Random, _: datetime) -> Injection:
    return _of(change_any_value(rng))


def _of(fault: Fault) -> Injection:
    return Injection(fault.name, fault)


def _too_many_requests(rng: Random, now: datetime) -> Injection:
    """429, with every form of Retry-After."""
    seconds = rng.choice((0, 1, 7, 45, 86_400))
    forms: tuple[tuple[str, str | None, float], ...] = (
        ("a date", faults.http_date(now.replace(microsecond=0) + timedelta(seconds=9)), 7.0),
        ("a past date", faults.http_date(now - timedelta(hours=1)), 0.0),
        ("fractional seconds", "2.5", 2.5),
        ("invalid", rng.choice(("soon", "-1", "", "1e9", "12 parsecs")), 0.0),
        ("none", None, 0.0),
        ("seconds", str(seconds), min(seconds, _LONGEST_WAIT)),
    )
    form, text, wait = rng.choice(forms)
    not_before = now + timedelta(seconds=max(wait, _SHORTEST_BACKOFF))
    return Injection(f"429, Retry-After: {form}", faults.status(429, text), not_before)


def _server_error(rng: Random, now: datetime) -> Injection:
    """408, or an error of the server."""
    code = rng.choice((408, 500, 501, 502, 503, 504, 507))
    if code == 503 and rng.random() < 0.5:
        return Injection("status 503", faults.status(code, "3"), now + timedelta(seconds=3))
    return Injection(f"status {code}", faults.status(code))


def _connection(rng: Random, _: datetime) -> Injection:
    resets = (faults.reset_before, faults.reset_after_headers, faults.reset_mid_body, faults.reset_after)
    return _of(rng.choice(resets)())


def _slow(rng: Random, _: datetime) -> Injection:
    """Later than the timeout, late, or in small pieces."""
    kinds = (
        ("timeout", faults.delay(121)),
        ("late", faults.delay(5)),
        ("drip", faults.drip()),
        ("slow drip", _with_header(DRIP, "130")),
    )
    return Injection(*rng.choice(kinds))


def _with_header(name: str, value: str) -> Fault:
    """The right answer with one more header."""
    return Fault(name, edit=lambda _, answer: replace(answer, headers={**answer.headers, name: value}))


def _unreadable_body(rng: Random, _: datetime) -> Injection:
    """200, and a body that is not what was asked for."""
    makers = (faults.cut_json, faults.garbled_json, faults.html, _error_with_200, _empty_body, _not_gzip)
    return _of(rng.choice(makers)())


def _error_with_200() -> Fault:
    return Fault("error with 200", instead=lambda _: json_response({"code": "oops", "message": "Not today"}))


def _empty_body() -> Fault:
    return Fault("empty body", instead=lambda _: Response(200, {}, b""))


def _not_gzip() -> Fault:
    return replace(_with_header("Content-Encoding", "gzip"), name="falsely labeled gzip")


def _no_token(rng: Random, _: datetime) -> Injection:
    answers: tuple[Any, ...] = (
        {"access_token": None, "expires_in": 3600},
        {"access_token": "", "expires_in": 3600},
        {"access_token": "two\nlines", "expires_in": 3600},
        {"access_token": 17},
        {"expires_in": 3600},
        [],
        None,
    )
    answer = rng.choice(answers)
    return Injection("no token", Fault("no token", instead=lambda _: json_response(answer)))


def _rejected_token(rng: Random, _: datetime) -> Injection:
    if rng.random() < 0.5:
        return Injection("token revoked", revokes_tokens=True, needs_new_token=True)
    return Injection("status 401", faults.status(401), needs_new_token=True)


def _clock_jump(rng: Random, _: datetime) -> Injection:
    return Injection("clock jumps", clock_jump=rng.uniform(1, 100))


def _clock_set_back(rng: Random, _: datetime) -> Injection:
    return Injection("clock is set back", clock_set_back=rng.uniform(1, 7_200))


def _wrong_type(rng: Random, _: datetime) -> Injection:
    """A value of a type that the field does not have in any answer of either API."""
    names = ("results", "entities", "jobId", "state", "links", "cursor")
    values: tuple[Any, ...] = (17, "many", [[]], {"a": 1}, True, None)
    value = rng.choice(values)

    def change(body: Any) -> None:
        body.update({name: value for name in names if name in body and not _is_valid(name, value)})

    return _of(edit_json("wrong type", change))


def _is_valid(name: str, value: object) -> bool:
    """Whether a value has the right type by chance, or is a null that means something in this field."""
    return (
        (isinstance(value, str) and name in {"jobId", "state", "cursor"})
        or (isinstance(value, dict) and name == "links")
        or (value is None and name not in {"jobId", "state"})
    )


def _harmless(rng: Random, _: datetime) -> Injection:
    """More fields than were asked for, and nulls that mean the same as a missing field."""
    additions = ({"nextUri": None}, {"systemToOrganizationMappings": None}, {"brand new": [1, {"deep": "x"}]})
    addition = rng.choice(additions)

    def change(body: Any) -> None:
        body.update(addition)
        for result in body.get("results") or ():
            for bucket in result["data"]:
                bucket.setdefault("views", None)
                for metric in bucket["metrics"]:
                    metric.setdefault("qualifier", None)

    return _of(edit_json("harmless additions", change))


def _far_clock_jump(rng: Random, _: datetime) -> Injection:
    return Injection("clock jumps far", clock_jump=rng.uniform(600, 20_000))


def _too_large(rng: Random, _: datetime) -> Injection:
    """More rows than the server returns, reported by the message of a 400 or by a 413."""
    body = {"message": "Result set is larger than result limit", "code": "bad.request", "status": 400}
    code = rng.choice((400, 413))
    return Injection("too large", Fault("too large", instead=lambda _: json_response(body, code)))


def _client_error(rng: Random, _: datetime) -> Injection:
    code = rng.choice((400, 401, 403, 404, 405))
    return Injection(f"status {code}", faults.status(code), needs_new_token=code == 401)


def _redirect(rng: Random, _: datetime) -> Injection:
    """To another host, or to the same host without TLS."""
    location = rng.choice((_OTHER_HOST, "http://sandbox.invalid/api/v2/next"))
    return Injection("redirect", faults.redirect(location, rng.choice((301, 302, 303, 307, 308))))


def _invalid_row(rng: Random, _: datetime) -> Injection:
    """An impossible value in a row: the run must stop, whatever it wrote before."""
    changes: tuple[tuple[str, str, str | None], ...] = (  # name, place, value
        ("unrequested group", "group", "of something"),
        ("interval elsewhere", "interval", "2001-01-01T00:00Z/2001-01-01T01:00Z"),
        ("invalid interval", "interval", "yesterday"),
        ("interval is null", "interval", None),
        ("unrequested metric", "metric", "nUnasked"),
        ("number is a string", "number", "many"),
    )
    name, place, value = rng.choice(changes)
    return _of(edit_json(name, lambda body: change_last_row(body, place, value)))


def _repeated_row(rng: Random, _: datetime) -> Injection:
    del rng
    return _of(edit_json("row twice", repeat_last_row))


def _repeated_page(rng: Random, _: datetime) -> Injection:
    """A page that links to itself, or one that comes twice."""
    if rng.random() < 0.5:
        return Injection("page links to itself", faults.same_page())
    return Injection(PAGE_TWICE)


def _foreign_link(rng: Random, _: datetime) -> Injection:
    """A link to another host, on the last page too."""
    links = (
        _OTHER_HOST,
        "http://sandbox.invalid/api/v2/next",
        "https://sandbox.invalid:8443/api/v2/next",
        "//elsewhere.invalid/api/v2/next",
        "https://sandbox.invalid@elsewhere.invalid/api/v2/next",
        "file:///etc/hosts",
    )
    link = rng.choice(links)
    return _of(edit_json("link to another host", lambda body: set_next_link(body, link)))


_RETRYABLE: list[Kind] = [_too_many_requests, _server_error, _connection, _slow, _unreadable_body]
_RETRYABLE_FOR_TOKENS: list[Kind] = [_no_token]
_RETRYABLE_FOR_DATA: list[Kind] = [_wrong_type, _harmless, _rejected_token, _clock_jump, _clock_set_back]
_FATAL_FOR_TOKENS: list[Kind] = [_client_error, _redirect]
_FATAL_FOR_DATA: list[Kind] = [
    _client_error, _redirect, _too_large, _invalid_row, _invalid_row, _invalid_row, _repeated_row,
    _repeated_row, _repeated_page, _far_clock_jump,
]  # fmt: skip
_FATAL_FOR_TREES: list[Kind] = [_foreign_link, _foreign_link, _foreign_link]
