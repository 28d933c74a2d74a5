"""SIGTERM and SIGINT: a scheduler must not see success, and a target must not see half a message."""

from __future__ import annotations

import signal
from typing import Union

import pytest

from tap_genesys_aggregates.singer.termination import Termination


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_exit_code_tells_the_signal(signum: signal.Signals, code: int) -> None:
    """Between messages the run stops at once, with 128 plus the signal."""
    with pytest.raises(SystemExit) as ended:
        Termination().request(signum)
    assert ended.value.code == code


Part = Union[str, signal.Signals, "Message"]
Message = tuple[Part, ...]


def write(termination: Termination, message: Message, out: list[str]) -> None:
    """Write a message part by part; a part may be a signal or another message."""
    with termination.deferred():
        for part in message:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, tuple):
                write(termination, part, out)
            else:
                termination.request(part)


def written(*message: Part) -> tuple[str, object]:
    """What was written of a message, and the exit code if the run stopped."""
    out: list[str] = []
    try:
        write(Termination(), message, out)
    except SystemExit as ended:
        return "".join(out), ended.code
    return "".join(out), None


def test_a_message_is_never_cut() -> None:
    """A signal inside a message takes effect when the message is written."""
    assert written('{"type": ', signal.SIGTERM, '"RECORD"}') == ('{"type": "RECORD"}', 143)
    assert written('{"type": ', '"RECORD"}') == ('{"type": "RECORD"}', None)


def test_a_message_inside_a_message_does_not_end_the_outer_one() -> None:
    assert written("a", ("b", signal.SIGTERM, "c"), "d") == ("abcd", 143)


def test_of_several_signals_inside_a_message_the_last_decides() -> None:
    """Such as Ctrl-C after SIGTERM."""
    assert written("a", signal.SIGTERM, "b", signal.SIGINT, "c") == ("abc", 130)


def test_without_a_signal_nothing_stops() -> None:
    """A signal after the last message stops the run at once."""
    termination = Termination()
    for _ in range(3):
        with termination.deferred():
            pass
    with pytest.raises(SystemExit):
        termination.request(signal.SIGTERM)


def test_an_error_inside_a_message_is_not_hidden() -> None:
    """A broken pipe is reported as such, and the next signal stops the run at once."""
    termination = Termination()
    with pytest.raises(BrokenPipeError), termination.deferred():
        raise BrokenPipeError
    with pytest.raises(SystemExit):
        termination.request(signal.SIGTERM)
