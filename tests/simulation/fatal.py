"""What a run must stop at, or get round by asking for less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault, faults
from genesys_sandbox.http_messages import json_response
from tests.simulation.evil import Evil
from tests.simulation.spoiling import edit, in_row, link, row_twice

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

_ELSEWHERE = "https://elsewhere.invalid/api/v2/next"
PAGE_TWICE = "page twice"
"""What must be made by who remembers the pages."""


def _far_jump(rng: Random, _: datetime) -> Evil:
    return Evil("clock jumps far", jump=rng.uniform(600, 20_000))


def _too_large(rng: Random, _: datetime) -> Evil:
    """More than the server gives, by a text or by a status."""
    body = {"message": "Result set is larger than result limit", "code": "bad.request", "status": 400}
    code = rng.choice((400, 413))
    return Evil("too large", Fault("too large", instead=lambda _: json_response(body, code)))


def _final(rng: Random, _: datetime) -> Evil:
    """What no retry mends."""
    code = rng.choice((400, 401, 403, 404, 405))
    return Evil(f"status {code}", faults.status(code), troubles_token=code == 401)


def _redirect(rng: Random, _: datetime) -> Evil:
    """To another host, or to the same one without TLS."""
    where = rng.choice((_ELSEWHERE, "http://sandbox.invalid/api/v2/next"))
    return Evil("redirect", faults.redirect(where, rng.choice((301, 302, 303, 307, 308))))


def _inner(rng: Random, _: datetime) -> Evil:
    """One thing within the rows that cannot be: the run must stop there, whatever was written before."""
    changes: dict[str, Callable[[Any], None]] = {
        "interval is none": lambda body: in_row(body, "interval", "yesterday"),
        "interval is null": lambda body: in_row(body, "interval", None),
        "interval elsewhere": lambda body: in_row(body, "interval", "2001-01-01T00:00Z/2001-01-01T01:00Z"),
        "group unasked": lambda body: in_row(body, "group", "of something"),
        "metric unasked": lambda body: in_row(body, "metric", "nUnasked"),
        "number is a text": lambda body: in_row(body, "number", "many"),
    }
    name = rng.choice(sorted(changes))
    return Evil(name, edit(name, changes[name]))


def _twice(rng: Random, _: datetime) -> Evil:
    """A row that comes twice."""
    del rng
    return Evil("row twice", edit("row twice", row_twice))


def _same_page(rng: Random, _: datetime) -> Evil:
    """Pages that go round, or that come again."""
    if rng.random() < 0.5:
        return Evil("same page again", faults.same_page())
    return Evil(PAGE_TWICE)


def _astray(rng: Random, _: datetime) -> Evil:
    """A link to another host, on the last page too."""
    places = (
        _ELSEWHERE,
        "http://sandbox.invalid/api/v2/next",
        "https://sandbox.invalid:8443/api/v2/next",
        "//elsewhere.invalid/api/v2/next",
        "https://sandbox.invalid@elsewhere.invalid/api/v2/next",
        "file:///etc/hosts",
    )
    where = rng.choice(places)
    return Evil("link elsewhere", edit("link elsewhere", lambda body: link(body, where)))


Kinds = list["Callable[[Random, datetime], Evil]"]

TOKEN: Kinds = [_final, _redirect]
"""What the request for a token may meet."""
QUERY: Kinds = [_final, _redirect, _too_large, _inner, _inner, _inner, _twice, _twice, _same_page, _far_jump]
"""What any other request may meet."""
TREE: Kinds = [_astray, _astray, _astray]
"""What only the pages of a tree may meet."""
