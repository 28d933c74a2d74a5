"""What a second try mends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault, Response, faults
from genesys_sandbox.http_messages import json_response
from tests.simulation.evil import Evil
from tests.simulation.pipe import DRIP
from tests.simulation.spoiling import edit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

_LONGEST_WAIT = 300.0


def _throttled(rng: Random, now: datetime) -> Evil:
    """429, with every form of Retry-After."""
    seconds = rng.choice((0, 1, 7, 45, 86_400))
    texts = {
        "seconds": (str(seconds), min(seconds, _LONGEST_WAIT)),
        "a date": (faults.http_date(now.replace(microsecond=0) + timedelta(seconds=9)), 7.0),
        "a date gone by": (faults.http_date(now - timedelta(hours=1)), 0.0),
        "half seconds": ("2.5", 2.5),
        "nonsense": (rng.choice(("soon", "-1", "", "1e9", "12 parsecs")), 0.0),
        "nothing": (None, 0.0),
    }
    kind = rng.choice(sorted(texts))
    text, wait = texts[kind]
    due = now + timedelta(seconds=wait) if wait else None
    return Evil(f"429, Retry-After: {kind}", faults.status(429, text), due)


def _status(rng: Random, now: datetime) -> Evil:
    """408, or an error of the server's."""
    code = rng.choice((408, 500, 501, 502, 503, 504, 507))
    if code == 503 and rng.random() < 0.5:
        return Evil("status 503", faults.status(code, "3"), now + timedelta(seconds=3))
    return Evil(f"status {code}", faults.status(code))


def _connection(rng: Random, _: datetime) -> Evil:
    broken = (faults.reset_before, faults.reset_after_headers, faults.reset_mid_body, faults.reset_after)
    fault = rng.choice(broken)()
    return Evil(fault.name, fault)


def _late(rng: Random, _: datetime) -> Evil:
    """Too late, or late, or bit by bit."""
    fates = (
        ("time-out", faults.delay(121)),
        ("late", faults.delay(5)),
        ("drip", faults.drip()),
        ("slow drip", _headed(DRIP, "130")),
    )
    return Evil(*rng.choice(fates))


def _headed(name: str, value: str) -> Fault:
    """The right answer with one more header."""
    return Fault(name, edit=lambda _, answer: replace(answer, headers={**answer.headers, name: value}))


def _body(rng: Random, _: datetime) -> Evil:
    """200, and a body that is none, or an error."""
    makers = (faults.cut_json, faults.garbled_json, faults.html, _error_with_200, _nothing, _not_packed)
    fault = rng.choice(makers)()
    return Evil(fault.name, fault)


def _error_with_200() -> Fault:
    return Fault("error with 200", instead=lambda _: json_response({"code": "oops", "message": "Not today"}))


def _nothing() -> Fault:
    return Fault("empty body", instead=lambda _: Response(200, {}, b""))


def _not_packed() -> Fault:
    return replace(_headed("Content-Encoding", "gzip"), name="said to be packed")


def _token_answer(rng: Random, _: datetime) -> Evil:
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
    return Evil("no token", Fault("no token", instead=lambda _: json_response(answer)))


def _token_dies(rng: Random, _: datetime) -> Evil:
    if rng.random() < 0.5:
        return Evil("token revoked", revokes=True, troubles_token=True)
    return Evil("status 401", faults.status(401), troubles_token=True)


def _jump(rng: Random, _: datetime) -> Evil:
    return Evil("clock jumps", jump=rng.uniform(1, 100))


def _fall_back(rng: Random, _: datetime) -> Evil:
    return Evil("clock is set back", falls_back=rng.uniform(1, 7_200))


def _wrong_type(rng: Random, _: datetime) -> Evil:
    """A value of another type, where every contract has one of its own."""
    names = ("results", "entities", "jobId", "state", "links", "cursor")
    values: tuple[Any, ...] = (17, "many", [[]], {"a": 1}, True, None)
    value = rng.choice(values)

    def change(body: Any) -> None:
        body.update({name: value for name in names if name in body and not _fits(name, value)})

    return Evil("wrong type", edit("wrong type", change))


def _fits(name: str, value: object) -> bool:
    """Whether a wrong value is of the right type by chance, or a null that the contract gives a meaning."""
    return (
        (isinstance(value, str) and name in {"jobId", "state", "cursor"})
        or (isinstance(value, dict) and name == "links")
        or (value is None and name not in {"jobId", "state"})
    )


def _harmless(rng: Random, _: datetime) -> Evil:
    """More than was asked for, and nulls that mean what leaving out means."""
    news = ({"nextUri": None}, {"systemToOrganizationMappings": None}, {"brand new": [1, {"deep": "x"}]})
    new = rng.choice(news)

    def change(body: Any) -> None:
        body.update(new)
        for result in body.get("results") or ():
            for bucket in result["data"]:
                bucket.setdefault("views", None)
                for metric in bucket["metrics"]:
                    metric.setdefault("qualifier", None)

    return Evil("harmless news", edit("harmless news", change))


Kinds = list["Callable[[Random, datetime], Evil]"]

ANY: Kinds = [_throttled, _status, _connection, _late, _body]
"""What any request may meet."""
TOKEN: Kinds = [_token_answer]
"""What only the request for a token may meet."""
QUERY: Kinds = [_wrong_type, _harmless, _token_dies, _jump, _fall_back]
"""What only a request with a token may meet."""
