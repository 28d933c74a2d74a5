"""What happens to one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from genesys_sandbox import Fault


@dataclass(frozen=True, slots=True)
class Evil:
    """What happens to one request.

    Attributes:
        name: Its kind, for the summary.
        fault: What the sandbox answers, if that changes.
        due: Before this instant no further request may come.
        jump: Seconds by which all clocks jump forward.
        falls_back: Seconds by which the machine's clock is set back.
        revokes: Whether every token dies.
        troubles_token: Whether the tap will have to fetch another token.
    """

    name: str
    fault: Fault | None = None
    due: datetime | None = None
    jump: float | None = None
    falls_back: float | None = None
    revokes: bool = False
    troubles_token: bool = False
