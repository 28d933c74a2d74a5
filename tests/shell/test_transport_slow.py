"""Answers that come slowly, or without an end: within bounds, and asked for in smaller parts."""

from __future__ import annotations

import pytest
from typing_extensions import override

from tap_genesys_aggregates.http import response_limits
from tap_genesys_aggregates.http.errors import SlowError, TooLargeError
from tests.shell.answering import TRANSIENT, Answer, scene
from tests.shell.making import Time


@pytest.mark.parametrize(
    "trouble",
    [
        "504",
        "read time-out",
        "stalled body",
    ],
)
def test_a_slow_answer_is_not_asked_for_again_where_less_can_be(trouble: str) -> None:
    """Half the window may come in time; the whole would only be slow again."""
    at = scene(TRANSIENT[trouble])
    with pytest.raises(SlowError):
        at.fetch(divisible=True)
    assert (len(at.server.calls), at.time.slept) == (1, [])


@pytest.mark.parametrize("trouble", ["503", "429", "connect time-out", "no connection"])
def test_other_trouble_is_tried_again_even_so(trouble: str) -> None:
    """Less time does not help against a server that is busy."""
    at = scene(TRANSIENT[trouble], Answer())
    assert at.fetch(divisible=True) == {}
    assert len(at.server.calls) == 2


class Trickle(Time):
    """A clock that moves on whenever somebody looks at it."""

    @override
    def monotonic(self) -> float:
        self.push(6)
        return super().monotonic()


def test_a_body_that_trickles_is_slow() -> None:
    """``request_timeout`` is for the whole answer, not for each of its bytes."""
    at = scene(Answer(body=b" " * 200_000 + b"{}"), clock=Trickle(), request_timeout=10)
    with pytest.raises(SlowError, match="sent no complete response"):
        at.fetch(divisible=True)
    assert len(at.server.calls) == 1


def test_a_body_without_an_end_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is kept than the largest body allowed: less time is asked for."""
    monkeypatch.setattr(response_limits, "MAX_BODY_BYTES", 100_000)
    with pytest.raises(TooLargeError):
        scene(Answer(body=b" " * 100_001)).fetch()
    assert scene(Answer(body=b" " * 99_998 + b"{}")).fetch() == {}
