"""Redaction: no message and no log line shows a secret of this process.

A server may echo what it was sent in an error message, a status line or a link, and the echo may be cut
anywhere. So every run of eight characters of a secret is masked, in each encoding it may appear in.
"""

from __future__ import annotations

import base64
import html
import json
from collections import deque
from urllib.parse import quote, quote_plus

_MIN_LENGTH = 8
"""Characters; anything shorter could be part of an ordinary word."""
_TOKENS_KEPT = 4
_MASK = "***"

# The secrets are module state on purpose: an error redacts its own text when it is created, wherever that
# is, and log records of other libraries are redacted too. Neither can be handed a registry of secrets.
_lasting: set[frozenset[str]] = set()
_tokens: deque[frozenset[str]] = deque(maxlen=_TOKENS_KEPT)
_known: frozenset[str] = frozenset()
"""The pieces of all of them: one look-up for each position of a text."""


def remember_client(client_id: str, client_secret: str) -> None:
    """Remember a client's secret, by itself and as HTTP Basic authentication sends it.

    Args:
        client_id: Id of the OAuth client.
        client_secret: Its secret.
    """
    basic = base64.b64encode(f"{client_id}:{client_secret}".encode(errors="replace")).decode()
    _lasting.add(_pieces(client_secret, basic))
    _collect()


def remember_password(password: str) -> None:
    """Remember the password of a database."""
    _lasting.add(_pieces(password))
    _collect()


def remember_token(token: str) -> None:
    """Remember a token; only the last few are kept."""
    _tokens.append(_pieces(token))
    _collect()


def redact(text: str) -> str:
    """Mask the secrets in a text.

    Args:
        text: A text to be shown or logged.

    Returns:
        The text with ``***`` in place of every eight or more consecutive characters of a secret, in upper or
        lower case.
    """
    known, plain = _known, _lower(text)
    starts = range(len(plain) - _MIN_LENGTH + 1)
    if known.isdisjoint([plain[start : start + _MIN_LENGTH] for start in starts]):
        return text  # nearly always
    shown, end = [], 0
    for start in starts:
        if plain[start : start + _MIN_LENGTH] in known:
            if start > end or not end:
                shown += [text[end:start], _MASK]
            end = start + _MIN_LENGTH
    return "".join([*shown, text[end:]])


def _collect() -> None:
    """Put the pieces of all remembered secrets together."""
    global _known  # noqa: PLW0603  # module state, see above
    _known = frozenset().union(*_lasting, *_tokens)


def _lower(text: str) -> str:
    """A text in lower case, of the same length: some letters would become two."""
    if text.isascii():
        return text.lower()
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)


def _pieces(secret: str, *also: str) -> frozenset[str]:
    """Every run of eight characters of a secret, in each encoding, in lower case."""
    forms = [_lower(form) for each in (secret, *also) for form in _forms(each)]
    return frozenset(
        form[start : start + _MIN_LENGTH] for form in forms for start in range(len(form) - _MIN_LENGTH + 1)
    )


def _forms(secret: str) -> list[str]:
    """A secret as messages, URLs, JSON, HTML and headers would write it."""
    wire = secret.encode(errors="replace")
    padded = [base64.b64encode(bytes(shift) + wire).decode() for shift in range(3)]
    # Within a longer base64 text a secret has one of three forms; its first and last characters depend on
    # its neighbors, so they are left out.
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
