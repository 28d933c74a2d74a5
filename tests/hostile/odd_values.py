"""Numbers and ids that a warehouse cannot hold, or not as they were meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.hostile.case import Case, leaf, page
from tests.hostile.serving import Reply

if TYPE_CHECKING:
    from tests.hostile.serving import Answer

_DEEP = b"[" * 2_000 + b"]" * 2_000
"""What sends a tree through the reader that has no recursion."""


def _tree(number: str, beside: bytes = b"") -> Answer:
    """A tree with this number in it, as it is written."""
    body = page(leaf(-7)).replace(b"-7", number.encode())
    return lambda _: Reply(body[:-1] + beside + b"}")


def _deep(number: str) -> Answer:
    return _tree(number, b', "summary": ' + _DEEP)


def _results(count: str, metric: str = "nOffered", statistic: str = "count") -> Answer:
    """Results with this number in them, as it is written."""
    interval = "2023-11-01T00:00:00.000Z/2023-11-02T00:00:00.000Z"
    metrics = [{"metric": metric, "stats": {statistic: -7}}]
    answer = {"results": [{"group": {"queueId": "q1"}, "data": [{"interval": interval, "metrics": metrics}]}]}
    return lambda _: Reply(json.dumps(answer).replace("-7", count).encode())


def _named(name: str) -> Answer:
    """A queue whose id is written like this, with its quotes."""
    body = page(leaf(name="NAME")).replace(b'"NAME"', name.encode("utf-8", "surrogatepass"))
    return lambda _: Reply(body)


def _deep_named(name: str) -> Answer:
    body = page(leaf(name="NAME"))[:-1].replace(b'"NAME"', name.encode()) + b', "summary": ' + _DEEP + b"}"
    return lambda _: Reply(body)


def _row(value: str) -> str:
    return rf'^1 rows .*"conversation_count": {value}[,}}]'


REFUSED = r"^(UnreadableError|UnforeseenError): "
QUICK = {"max_retries": 1}
COUNTS = {"api": "results", **QUICK}
NUMBERS = {
    "NaN": ("NaN", REFUSED),
    "Infinity": ("-Infinity", REFUSED),
    "1e400": ("1e400", REFUSED),
    "a text": ('"5"', REFUSED),
    "true": ("true", REFUSED),
    "a list": ("[5]", REFUSED),
    "400 digits": ("9" * 400, _row("9{400}")),
    "5000 digits": ("9" * 5000, REFUSED),
    "a leading zero": ("05", REFUSED),
    "a plus": ("+5", REFUSED),
    "hexadecimal": ("0x5", REFUSED),
    "-0": ("-0", _row("-?0")),
    "-0.0": ("-0.0", _row(r"-0\.0")),
    "1e308": ("1e308", _row(r"1e\+?308")),
    "5e-324": ("5e-324", _row("5e-324")),
    "2**53 + 1": (str(2**53 + 1), _row(str(2**53 + 1))),
    "2**63 - 1": (str(2**63 - 1), _row(str(2**63 - 1))),
    "-2**63": (str(-(2**63)), _row(str(-(2**63)))),
}
COUNTED = {
    "2**63": (str(2**63), REFUSED),
    "2**64": (str(2**64), REFUSED),
    "-2**63 - 1": (str(-(2**63) - 1), REFUSED),
    "1e300": ("1e300", REFUSED),
    "1e19": ("1e19", REFUSED),
    "half": ("0.5", REFUSED),
    "3.0": ("3.0", r'^1 rows .*"n_offered_count": 3,'),
    "-0.0": ("-0.0", r'^1 rows .*"n_offered_count": 0,'),
    "true": ("true", REFUSED),
    "2**63 - 1": (str(2**63 - 1), rf'^1 rows .*"n_offered_count": {2**63 - 1},'),
}
IDS = {
    "NUL": (r'"a\u0000b"', REFUSED),
    "a raw NUL": ('"a\0b"', REFUSED),
    "half a pair": (r'"a\ud800b"', REFUSED),
    "a raw half of a pair": ('"a\ud800b"', REFUSED),
    "a line break": (r'"a\nb"', r'^1 rows .*"routing_queue_id": "a\\nb"'),
    "quotes": (r'"a\"b' + "'c;--" + r'\\"', r'''^1 rows .*"routing_queue_id": "a\\"b'c;--\\\\"'''),
    "the end of a message": (r'"}\n{\"type\": \"STATE\", \"value\": {}}"', r"^1 rows "),
    "an empty text": ('""', r'^1 rows .*"routing_queue_id": "unknown"'),
    "blanks": ('"  "', r'^1 rows .*"routing_queue_id": "  "'),
    "a number": ("5", REFUSED),
    "10 MB": ('"' + "x" * 10_000_000 + '"', REFUSED),
}
CASES = (
    *(
        Case(f"number: {name}", f"A value {number[:20]}", ends, _tree(number), config=QUICK)
        for name, (number, ends) in NUMBERS.items()
    ),
    *(
        Case(
            f"number in a deep answer: {name}",
            f"A value {number[:20]} beside what is 2,000 deep",
            ends,
            _deep(number),
            config=QUICK,
        )
        for name, (number, ends) in NUMBERS.items()
        if name in {"NaN", "Infinity", "1e400", "a text", "true", "400 digits", "5000 digits", "1e308"}
    ),
    *(
        Case(f"count: {name}", f"A count {number[:20]}", ends, _results(number), config=COUNTS)
        for name, (number, ends) in COUNTED.items()
    ),
    Case(
        "number: 1e400 as a sum", "A sum 1e400", REFUSED, _results("1e400", "tHandle", "sum"), config=COUNTS
    ),
    *(
        Case(
            f"id: {name}",
            f"An id {ascii(text)[1:-1][:40]}",
            ends,
            _named(text),
            config=QUICK,
            memory=250,
        )
        for name, (text, ends) in IDS.items()
    ),
    Case(
        "id in a deep answer: NUL",
        "An id with a NUL beside what is 2,000 deep",
        REFUSED,
        _deep_named(r'"a\u0000b"'),
        config=QUICK,
    ),
    Case(
        "id in a deep answer: half a pair",
        "Half a surrogate pair beside what is 2,000 deep",
        REFUSED,
        _deep_named(r'"a\ud800b"'),
        config=QUICK,
    ),
    Case(
        "id: a metric nobody asked for",
        "A metric whose name is 10 MB",
        r"^UnforeseenError: .*not asked for",
        lambda _: Reply(
            page({"id": "q", "groups": [{"id": "2023-11-01T00:00:00Z", "metrics": {"m" * 10_000_000: None}}]})
        ),
        config=QUICK,
        memory=250,
    ),
    Case(
        "id: a day outside",
        "A bucket of the year 9999",
        r"^UnreadableError: .*outside the window",
        lambda _: Reply(page(leaf(day="9999-12-31"))),
        config=QUICK,
    ),
)
