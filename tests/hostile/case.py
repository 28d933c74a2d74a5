"""One thing that a hostile server does, and what it must come to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.hostile.serving import Answer, Asked, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "T0k3n.of-the_server~0123456789abcdef"


def granted(_: Asked) -> Reply:
    """A token as it should be."""
    return Reply(json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())


def page(*entities: object, following: str | None = None) -> bytes:
    """A page of the tree contract."""
    return json.dumps({"entities": entities, "links": {"next": following}}).encode()


def leaf(value: object = 1, name: object = "q1", day: str = "2023-11-01") -> dict[str, object]:
    """One queue on one day."""
    metrics = {"conversationCount": {"value": value}}
    return {"id": name, "groups": [{"id": f"{day}T00:00:00.000Z", "metrics": metrics}]}


def usual(_: Asked) -> Reply:
    """An answer as it should be, with one row."""
    return Reply(page(leaf()))


ONE_ROW = r'^1 rows .*"routing_queue_id": "q1", .*"conversation_count": 1'


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Attributes:
        name: Short, and its own.
        does: What the server does, in a few words.
        ends: A pattern of how the run must end: ``1 rows [...]``, or the kind of error and its line.
        data: How it answers requests for data.
        grant: How it answers requests for a token.
        config: Settings that this case wants.
        wired: Whether it can only be shown over a socket.
        long: Whether it is left to ``python -m tests.hostile``.
        seconds: How long it may take.
        memory: How many MiB the run may hold, with Python and all that is imported.
    """

    name: str
    does: str
    ends: str
    data: Answer = usual
    grant: Answer = granted
    config: Mapping[str, object] = field(default_factory=dict)
    wired: bool = False
    long: bool = False
    seconds: float = 5
    memory: float = 150

    def fits(self, said: str) -> bool:
        """Whether a run ended as it must."""
        return re.search(self.ends, said) is not None
