"""Numbers and ids that a warehouse cannot store, or not as they were meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.adversarial.server import Case, Reply, entity, page

if TYPE_CHECKING:
    from tests.adversarial.server import Responder

_DEEP = b"[" * 2_000 + b"]" * 2_000
"""Too deep for msgspec, so that the response goes through the reader without recursion."""


def _tree(number: str, beside: bytes = b"") -> Responder:
    """A tree that contains this number exactly as written."""
    body = page(entity(-7)).replace(b"-7", number.encode())
    return lambda _: Reply(body[:-1] + beside + b"}")


def _deep(number: str) -> Responder:
    return _tree(number, b', "summary": ' + _DEEP)


def _results(count: str, metric: str = "nOffered", statistic: str = "count") -> Responder:
    """Results that contain this number exactly as written."""
    interval = "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z"
    metrics = [{"metric": metric, "stats": {statistic: -7}}]
    response = {
        "results": [{"group": {"queueId": "q1"}, "data": [{"interval": interval, "metrics": metrics}]}]
    }
    return lambda _: Reply(json.dumps(response).replace("-7", count).encode())


def _queue(name: str) -> Responder:
    """A queue whose id is written like this, quotes included."""
    body = page(entity(name="NAME")).replace(b'"NAME"', name.encode("utf-8", "surrogatepass"))
    return lambda _: Reply(body)


def _deep_queue(name: str) -> Responder:
    body = page(entity(name="NAME"))[:-1].replace(b'"NAME"', name.encode()) + b', "summary": ' + _DEEP + b"}"
    return lambda _: Reply(body)


def _row(value: str) -> str:
    return rf'^1 rows .*"conversation_count": {value}[,}}]'


_REFUSED = r"^(UnreadableError|UnforeseenError): "
_QUICK = {"max_retries": 1}
_COUNTS = {"api": "results", **_QUICK}
_NUMBERS = {
    "NaN": ("NaN", _REFUSED),
    "Infinity": ("-Infinity", _REFUSED),
    "1e400": ("1e400", _REFUSED),
    "a string": ('"5"', _REFUSED),
    "true": ("true", _REFUSED),
    "a list": ("[5]", _REFUSED),
    "400 digits": ("9" * 400, _row("9{400}")),
    "5000 digits": ("9" * 5000, _REFUSED),
    "a leading zero": ("05", _REFUSED),
    "a plus": ("+5", _REFUSED),
    "hexadecimal": ("0x5", _REFUSED),
    "-0": ("-0", _row("-?0")),
    "-0.0": ("-0.0", _row(r"-0\.0")),
    "1e308": ("1e308", _row(r"1e\+?308")),
    "5e-324": ("5e-324", _row("5e-324")),
    "2**53 + 1": (str(2**53 + 1), _row(str(2**53 + 1))),
    "2**63 - 1": (str(2**63 - 1), _row(str(2**63 - 1))),
    "-2**63": (str(-(2**63)), _row(str(-(2**63)))),
}
_COUNTED = {
    "2**63": (str(2**63), _REFUSED),
    "2**64": (str(2**64), _REFUSED),
    "-2**63 - 1": (str(-(2**63) - 1), _REFUSED),
    "1e300": ("1e300", _REFUSED),
    "1e19": ("1e19", _REFUSED),
    "half": ("0.5", _REFUSED),
    "3.0": ("3.0", r'^1 rows .*"n_offered_count": 3,'),
    "-0.0": ("-0.0", r'^1 rows .*"n_offered_count": 0,'),
    "true": ("true", _REFUSED),
    "2**63 - 1": (str(2**63 - 1), rf'^1 rows .*"n_offered_count": {2**63 - 1},'),
}
_IDS = {
    "NUL": (r'"a\u0000b"', _REFUSED),
    "a raw NUL": ('"a\0b"', _REFUSED),
    "half a surrogate pair": (r'"a\ud800b"', _REFUSED),
    "a raw half of a surrogate pair": ('"a\ud800b"', _REFUSED),
    "a line break": (r'"a\nb"', r'^1 rows .*"routing_queue_id": "a\\nb"'),
    "quotes": (r'"a\"b' + "'c;--" + r'\\"', r'''^1 rows .*"routing_queue_id": "a\\"b'c;--\\\\"'''),
    "the end of a Singer message": (r'"}\n{\"type\": \"STATE\", \"value\": {}}"', r"^1 rows "),
    "an empty string": ('""', r'^1 rows .*"routing_queue_id": "unknown"'),
    "spaces": ('"  "', r'^1 rows .*"routing_queue_id": "  "'),
    "a number": ("5", r'^1 rows .*"routing_queue_id": "5"'),
    "10 MB": ('"' + "x" * 10_000_000 + '"', _REFUSED),
}
CASES = (
    *(
        Case(f"number: {name}", f"A value {number[:20]}", expected, _tree(number), config=_QUICK)
        for name, (number, expected) in _NUMBERS.items()
    ),
    *(
        Case(
            f"number in a deep response: {name}",
            f"A value {number[:20]} beside a field 2,000 levels deep",
            expected,
            _deep(number),
            config=_QUICK,
        )
        for name, (number, expected) in _NUMBERS.items()
        if name in {"NaN", "Infinity", "1e400", "a string", "true", "400 digits", "5000 digits", "1e308"}
    ),
    *(
        Case(f"count: {name}", f"A count {number[:20]}", expected, _results(number), config=_COUNTS)
        for name, (number, expected) in _COUNTED.items()
    ),
    Case(
        "number: 1e400 as a sum", "A sum 1e400", _REFUSED, _results("1e400", "tHandle", "sum"), config=_COUNTS
    ),
    *(
        Case(
            f"id: {name}",
            f"An id {ascii(text)[1:-1][:40]}",
            expected,
            _queue(text),
            config=_QUICK,
            max_mib=250,
        )
        for name, (text, expected) in _IDS.items()
    ),
    Case(
        "id in a deep response: NUL",
        "An id with a NUL beside a field 2,000 levels deep",
        _REFUSED,
        _deep_queue(r'"a\u0000b"'),
        config=_QUICK,
    ),
    Case(
        "id in a deep response: half a surrogate pair",
        "Half a surrogate pair beside a field 2,000 levels deep",
        _REFUSED,
        _deep_queue(r'"a\ud800b"'),
        config=_QUICK,
    ),
    Case(
        "id: an unrequested metric",
        "An unrequested metric whose name is 10 MB",
        r"^UnforeseenError: .*not asked for",
        lambda _: Reply(
            page({"id": "q", "groups": [{"id": "2023-11-01T00:00:00Z", "metrics": {"m" * 10_000_000: None}}]})
        ),
        config=_QUICK,
        max_mib=250,
    ),
    Case(
        "id: a day outside the window",
        "A bucket in the year 9999",
        r"^UnreadableError: .*outside the window",
        lambda _: Reply(page(entity(day="9999-12-31"))),
        config=_QUICK,
    ),
)
