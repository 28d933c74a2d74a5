"""Secrets of this process, kept so that no message shows them.

A server may send back what it was sent: in a message, a status, a link. What is looked for is any eight
characters in a row of a secret, in each form that it travels in, since a message may be cut anywhere.
"""

from __future__ import annotations

import base64
import html
import json
from collections import deque
from urllib.parse import quote, quote_plus

LEAST = 8
"""Characters: what is shorter could be part of any word."""
_TOKENS_KEPT = 4
_MASK = "***"

_clients: set[frozenset[str]] = set()
_tokens: deque[frozenset[str]] = deque(maxlen=_TOKENS_KEPT)


def remember_client(client_id: str, client_secret: str) -> None:
    """Keep a client's secret, alone and as HTTP Basic sends it.

    Args:
        client_id: OAuth client.
        client_secret: Its secret.
    """
    basic = base64.b64encode(f"{client_id}:{client_secret}".encode(errors="replace")).decode()
    _clients.add(_pieces(client_secret, basic))


def remember_token(token: str) -> None:
    """Keep a token; the last ones are remembered."""
    _tokens.append(_pieces(token))


def redact(text: str) -> str:
    """A text without what secrets are in it.

    Args:
        text: What is to be shown.

    Returns:
        The text, with ``***`` for each stretch of eight characters or more of a secret, whole or in part, in
        capitals or not.
    """
    kept = (*_clients, *tuple(_tokens))
    plain = _lower(text)
    shown, end = [], 0
    for start in range(len(plain) - LEAST + 1):
        piece = plain[start : start + LEAST]
        if any(piece in pieces for pieces in kept):
            if start > end or not end:
                shown += [text[end:start], _MASK]
            end = start + LEAST
    return "".join([*shown, text[end:]])


def _lower(text: str) -> str:
    """A text in small letters, each where it was."""
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def _pieces(secret: str, *also: str) -> frozenset[str]:
    """All that eight characters in a row of a secret can be, in small letters."""
    forms = [_lower(form) for each in (secret, *also) for form in _forms(each)]
    return frozenset(form[start : start + LEAST] for form in forms for start in range(len(form) - LEAST + 1))


def _forms(secret: str) -> list[str]:
    """A secret as messages, URLs, JSON, pages and headers would write it."""
    wire = secret.encode(errors="replace")
    padded = [base64.b64encode(bytes(shift) + wire).decode() for shift in range(3)]
    # The first and the last characters of base64 depend on what stands beside.
    encoded = [each[-(-4 * shift // 3) : len(each.rstrip("=")) - 1] for shift, each in enumerate(padded)]
    return [
        secret,
        *encoded,
        *(each.replace("+", "-").replace("/", "_") for each in encoded),
        quote(wire, safe=""),
        quote(wire),
        quote_plus(wire),
        json.dumps(secret)[1:-1],
        json.dumps(secret).replace("/", "\\/")[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
        repr(wire)[2:-1],
        wire.decode("latin-1"),
        wire.hex(),
    ]
