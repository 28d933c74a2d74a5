"""The kinds of things that go wrong with one request.

None of them is a wrong answer that nobody could tell from a right one: a count that is another count, or
a null where the contract lets it mean "did not happen" (`results: null`, a group without `data`). What is
in here is refused by a reader that is right, or changes nothing, such as fields that nobody asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.sandbox import Answer, Fault, faults
from tap_genesys_aggregates.sandbox.messages import json_answer
from tests.simulation.spoiling import edit, in_row, link, row_twice

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from tests.simulation.world import Manner

_LONGEST_WAIT = 300.0
_ELSEWHERE = "https://elsewhere.invalid/api/v2/next"


@dataclass(frozen=True, slots=True)
class Evil:
    """What happens to one request.

    Attributes:
        name: Its kind, for the summary.
        fault: What the sandbox answers, if that changes.
        due: Before this instant no further request may come.
        jump: Seconds by which the clock jumps forward.
        revokes: Whether every token dies.
        troubles_token: Whether the tap will have to fetch another token.
    """

    name: str
    fault: Fault | None = None
    due: datetime | None = None
    jump: float | None = None
    revokes: bool = False
    troubles_token: bool = False


def evil(rng: Random, manner: Manner, *, is_token: bool, now: datetime) -> Evil:
    """Something that goes wrong.

    Args:
        rng: Decides.
        manner: A gentle day has only what a retry mends.
        is_token: Whether a token is asked for.
        now: The present, for dates in headers.

    Returns:
        What happens.
    """
    kinds = [_throttled, _status, _connection, _late, _body]
    kinds += [_token_answer] if is_token else [_wrong_type, _harmless, _harmless, _token_dies, _jump]
    if manner == "rough":
        kinds += [_final] if is_token else [_final, _too_large, _inner, _inner, _inner, _far_jump]
    return rng.choice(kinds)(rng, now)


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


def _status(rng: Random, _: datetime) -> Evil:
    code = rng.choice((408, 500, 502, 503, 504))
    retry_after = rng.choice((None, "3")) if code == 503 else None
    return Evil(f"status {code}", faults.status(code, retry_after))


def _connection(rng: Random, _: datetime) -> Evil:
    broken = (faults.reset_before, faults.reset_after_headers, faults.reset_mid_body, faults.reset_after)
    fault = rng.choice(broken)()
    return Evil(fault.name, fault)


def _late(rng: Random, _: datetime) -> Evil:
    fates = {"time-out": faults.delay(121), "late": faults.delay(5), "drip": faults.drip()}
    name, fault = rng.choice(sorted(fates.items(), key=lambda each: each[0]))
    return Evil(name, fault)


def _body(rng: Random, _: datetime) -> Evil:
    """200, and a body that is none, or an error."""
    fault = rng.choice((faults.cut_json, faults.garbled_json, faults.html, _error_with_200, _nothing))()
    return Evil(fault.name, fault)


def _error_with_200() -> Fault:
    return Fault("error with 200", instead=lambda _: json_answer({"code": "oops", "message": "Not today"}))


def _nothing() -> Fault:
    return Fault("empty body", instead=lambda _: Answer(200, {}, b""))


def _token_answer(rng: Random, _: datetime) -> Evil:
    answers: tuple[Any, ...] = (
        {"access_token": None, "expires_in": 3600},
        {"access_token": "", "expires_in": 3600},
        {"access_token": "two\nlines", "expires_in": 3600},
        {"access_token": 17},
        {"expires_in": 3600},
        [],
    )
    answer = rng.choice(answers)
    return Evil("no token", Fault("no token", instead=lambda _: json_answer(answer)))


def _token_dies(rng: Random, _: datetime) -> Evil:
    if rng.random() < 0.5:
        return Evil("token revoked", revokes=True, troubles_token=True)
    return Evil("status 401", faults.status(401), troubles_token=True)


def _jump(rng: Random, _: datetime) -> Evil:
    return Evil("clock jumps", jump=rng.uniform(1, 100))


def _far_jump(rng: Random, _: datetime) -> Evil:
    return Evil("clock jumps far", jump=rng.uniform(600, 20_000))


def _too_large(rng: Random, _: datetime) -> Evil:
    del rng
    body = {"message": "Result set is larger than result limit", "code": "bad.request", "status": 400}
    return Evil("too large", Fault("too large", instead=lambda _: json_answer(body, 400)))


def _final(rng: Random, _: datetime) -> Evil:
    """What no retry mends."""
    code = rng.choice((400, 401, 403, 404, 405, 307))
    fault = faults.redirect(_ELSEWHERE) if code == 307 else faults.status(code)
    return Evil(f"status {code}", fault, troubles_token=code == 401)


def _wrong_type(rng: Random, _: datetime) -> Evil:
    """A value of another type, where every contract has one of its own."""
    names = ("results", "entities", "jobId", "state", "links", "cursor")
    values: tuple[Any, ...] = (17, "many", [[]], {"a": 1}, True)
    value = rng.choice(values)

    def change(body: Any) -> None:
        body.update({name: value for name in names if name in body and not _fits(name, value)})

    return Evil("wrong type", edit("wrong type", change))


def _fits(name: str, value: object) -> bool:
    """Whether a wrong value is of the right type by chance."""
    return (isinstance(value, str) and name in {"jobId", "state", "cursor"}) or (
        isinstance(value, dict) and name == "links"
    )


def _harmless(rng: Random, _: datetime) -> Evil:
    """More than was asked for, and nulls that mean what leaving out means."""
    news = ({"nextUri": None}, {"systemToOrganizationMappings": None}, {"brand new": [1, {"deep": "x"}]})

    def change(body: Any) -> None:
        body.update(rng.choice(news))
        for result in body.get("results") or ():
            for bucket in result["data"]:
                bucket.setdefault("views", None)
                for metric in bucket["metrics"]:
                    metric.setdefault("qualifier", None)

    return Evil("harmless news", edit("harmless news", change))


def _inner(rng: Random, _: datetime) -> Evil:
    """One thing within the rows that cannot be: the run must stop there, whatever was written before."""
    changes = {
        "row twice": row_twice,
        "interval is none": lambda body: in_row(body, "interval", "yesterday"),
        "interval elsewhere": lambda body: in_row(body, "interval", "2001-01-01T00:00Z/2001-01-01T01:00Z"),
        "group unasked": lambda body: in_row(body, "group", "of something"),
        "metric unasked": lambda body: in_row(body, "metric", "nUnasked"),
        "number is a text": lambda body: in_row(body, "number", "many"),
        "link elsewhere": lambda body: link(body, _ELSEWHERE),
    }
    name = rng.choice([*sorted(changes), "same page again"])
    return Evil(name, faults.same_page() if name == "same page again" else edit(name, changes[name]))
