"""What a secret may look like in a text: whole or in part, in any form in which it travels."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus, unquote

from tests.hostile.case import TOKEN
from tests.hostile.running import CLIENT, SECRET

LEAST = 8


def _forms() -> list[str]:
    """Written here a second time on purpose: this is what the tap's own list is measured by."""
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    alone = base64.b64encode(SECRET.encode()).decode().rstrip("=")[:-1]
    forms = [basic, alone]
    for each in (SECRET, TOKEN):
        forms += [
            each,
            quote(each, safe=""),
            quote(each),
            quote_plus(each),
            json.dumps(each)[1:-1],
            repr(each)[1:-1],
        ]
        forms += [each.encode().decode("latin-1"), each.encode().hex()]
    return forms


# The id of the client is no secret, so what base64 makes of it alone is none.
_KNOWN = base64.b64encode(CLIENT.encode()).decode()[: len(CLIENT) * 4 // 3]
PIECES = {
    form[start : start + LEAST].lower()
    for form in _forms()
    for start in range(len(form) - LEAST + 1)
    if form[start : start + LEAST] not in _KNOWN
}


def found(text: str) -> list[str]:
    """Every eight characters of a secret that a text holds, as it is or decoded from a URL."""
    texts = [each.lower() for each in (text, unquote(text))]
    return sorted(
        {each[start : start + LEAST] for each in texts for start in range(len(each) - LEAST + 1)} & PIECES
    )
