"""When runs happen, how bad the day is, and which of them are ended early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from random import Random

Manner = Literal["clean", "gentle", "rough", "lying"]

DAYS_TO_SETTLE = 4
_MANNERS: tuple[Manner, ...] = ("clean", "gentle", "gentle", "gentle", "rough", "rough", "rough", "lying")


@dataclass(frozen=True, slots=True)
class Kill:
    """How a run is ended from outside: at a written line, or at a request."""

    how: Literal["SIGKILL", "SIGTERM", "broken pipe", "Ctrl-C", "at a request"]
    at: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One run of the tap.

    Attributes:
        hours: When, counted from the world's beginning.
        manner: How bad the day is. What is ``gentle`` must be got over; of a ``lying`` one, on which any
            value may be any other, nothing is loaded: only how the run ends counts.
        kill: How it is ended early, if it is.
        forgetful: Whether the state was lost before it.
    """

    hours: float
    manner: Manner
    kill: Kill | None = None
    forgetful: bool = False


def within(rng: Random, hours: float) -> tuple[Visit, ...]:
    """Runs within some hours, and a last one on which nothing goes wrong."""
    times = sorted(rng.uniform(0, hours) for _ in range(rng.randint(1, 4)))
    return (*(_visit(rng, each) for each in times), Visit(hours, "clean"))


def until_settled(rng: Random, lookback: float) -> tuple[Visit, ...]:
    """Runs until the first days have settled; every second time an outage of the look-back comes last.

    Args:
        rng: Decides.
        lookback: In days.

    Returns:
        The runs, in order.
    """
    if rng.random() < 0.5:
        early = sorted(rng.uniform(20, 60) for _ in range(rng.randint(1, 2)))
        end = early[-1] + 24 * (lookback + rng.uniform(0, 2))
        return (*(_visit(rng, each, outlives=True) for each in early), Visit(end, "clean"))
    end = 24 * (DAYS_TO_SETTLE + rng.uniform(2, 5))
    times = sorted(rng.uniform(8, end) for _ in range(rng.randint(1, 5)))
    return (*(_visit(rng, each) for each in times), Visit(end, "clean"))


def _visit(rng: Random, hours: float, *, outlives: bool = False) -> Visit:
    """A run on some day."""
    manner: Manner = rng.choice(("clean", "gentle") if outlives else _MANNERS)
    return Visit(hours, manner, None if outlives else _kill(rng), rng.random() < 0.05)


def _kill(rng: Random) -> Kill | None:
    """Two runs in five are killed, if they live for long enough."""
    if rng.random() >= 0.4:
        return None
    hows: tuple[Any, ...] = ("SIGKILL", "SIGTERM", "SIGTERM", "broken pipe", "Ctrl-C", "at a request")
    how = rng.choice(hows)
    return Kill(how, rng.randint(1, 12 if how == "at a request" else rng.choice((8, 40, 200))))
