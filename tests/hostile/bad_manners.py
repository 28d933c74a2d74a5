"""Heads, waits, tokens and slowness that HTTP allows, or does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.hostile.case import ONE_ROW, Case, granted, usual
from tests.hostile.serving import Reply

if TYPE_CHECKING:
    from tests.hostile.serving import Answer

QUICK = {"max_retries": 1}


def _once(first: Reply) -> Answer:
    """This answer first, then as it should be."""
    return lambda asked: first if asked.number == 1 else usual(asked)


def _token(token: object, life: object = 3600) -> Answer:
    return lambda _: Reply(json.dumps({"access_token": token, "expires_in": life}).encode())


WAITS = {
    "a year": ("31536000", 300),
    "a date in a year": ("Wed, 20 Nov 2024 00:00:00 GMT", 300),
    "the year 9999": ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
    "negative": ("-5", 1),
    "nonsense": ("soon", 1),
    "400 digits": ("9" * 400, 300),
    "a date long gone": ("Mon, 20 Nov 2000 00:00:00 GMT", 0),
    "NaN": ("nan", 1),
    "empty": ("", 1),
}
TOKENS = {
    "a megabyte": "x" * (1 << 20),
    "line breaks": "t\r\nX-Injected: 1",
    "a NUL": "t\0t",
    "blanks": "t t",
    "umlauts": "t\u00fct",
    "empty": "",
    "a number": 5,
    "null": None,
}
LIVES = {"negative": -1, "zero": 0, "1e308": 1e308, "a text": "3600", "true": True}
CASES = (
    *(
        Case(
            f"Retry-After: {name}",
            f"429 with Retry-After {text[:32]!r}",
            ONE_ROW,
            _once(Reply(status=429, headers=(("Retry-After", text),))),
        )
        for name, (text, _) in WAITS.items()
    ),
    *(
        Case(
            f"token: {name}",
            f"A token that is {name}",
            r"^TapError: .*the token response .*token_url",
            grant=_token(token),
            config=QUICK,
        )
        for name, token in TOKENS.items()
    ),
    *(
        Case(
            f"token's life: {name}",
            f"expires_in is {life!r}",
            r"^TapError: .*the token response" if name in {"a text", "true"} else ONE_ROW,
            grant=_token("abc", life),
            config=QUICK,
        )
        for name, life in LIVES.items()
    ),
    Case(
        "token's life: NaN",
        "expires_in is NaN",
        r"^TapError: .*the token response",
        grant=lambda _: Reply(b'{"access_token": "a", "expires_in": NaN}'),
        config=QUICK,
    ),
    Case(
        "401 for ever",
        "401 to every token",
        r"^TokenRefusedError: .*client_secret",
        lambda _: Reply(status=401),
    ),
    Case(
        "429 for ever",
        "429 to everything",
        r"^TransientError: .*answered 429 .*requests_per_minute",
        lambda _: Reply(status=429, headers=(("Retry-After", "99999"),)),
    ),
    Case(
        "status: none known",
        "599",
        r"^TransientError: .*answered 599",
        lambda _: Reply(status=599),
        config=QUICK,
    ),
    Case("status: 204", "204 without a body", r"^UnreadableError: ", lambda _: Reply(b"", 204), config=QUICK),
    Case(
        "status: an escape in it",
        "400 with terminal escapes in its message",
        r"^RefusedError: .*answered 400 .*red",
        lambda _: Reply(
            b'{"message": "\\u001b[31mred\\u0007\\n2nd line\\u2028"}',
            400,
            (("ININ-Correlation-Id", "\x1b[31m"),),
        ),
    ),
    Case(
        "well behaved",
        "What a good server does: so that the others are seen to differ",
        ONE_ROW,
        usual,
        granted,
    ),
)
