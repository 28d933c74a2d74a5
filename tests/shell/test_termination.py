"""SIGTERM and SIGINT: a scheduler must not see success, nor a target half a message."""

from __future__ import annotations

import signal
from typing import Union

import pytest

from tap_genesys_aggregates.singer.termination import Termination


@pytest.mark.parametrize(("asked", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_exit_code_tells_the_signal(asked: signal.Signals, code: int) -> None:
    """Between messages the run ends at once, with 128 plus the signal and never with 0."""
    with pytest.raises(SystemExit) as ended:
        Termination().request(asked)
    assert ended.value.code == code


Part = Union[str, signal.Signals, "Message"]
Message = tuple[Part, ...]


def write(termination: Termination, message: Message, out: list[str]) -> None:
    """Write a message part by part; a signal may come in between, and so may another message."""
    with termination.deferred():
        for part in message:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, tuple):
                write(termination, part, out)
            else:
                termination.request(part)


def written(*message: Part) -> tuple[str, object]:
    """What of a message is out in the end, and the exit code, if it is the end."""
    out: list[str] = []
    try:
        write(Termination(), message, out)
    except SystemExit as ended:
        return "".join(out), ended.code
    return "".join(out), None


def test_a_message_is_never_cut() -> None:
    """A signal inside a message waits until the message is out."""
    assert written('{"type": ', signal.SIGTERM, '"RECORD"}') == ('{"type": "RECORD"}', 143)
    assert written('{"type": ', '"RECORD"}') == ('{"type": "RECORD"}', None)


def test_a_message_within_a_message_does_not_end_the_outer_one() -> None:
    """A writer that calls another is one message."""
    assert written("a", ("b", signal.SIGTERM, "c"), "d") == ("abcd", 143)


def test_a_signal_repeated_within_a_message_ends_once_with_the_last() -> None:
    """Ctrl-C after SIGTERM is still an end after the message."""
    assert written("a", signal.SIGTERM, "b", signal.SIGINT, "c") == ("abc", 130)


def test_nothing_ends_where_nobody_asks() -> None:
    """Messages follow one another; a signal after the last ends at once."""
    termination = Termination()
    for _ in range(3):
        with termination.deferred():
            pass
    with pytest.raises(SystemExit):
        termination.request(signal.SIGTERM)


def test_an_error_inside_a_message_is_not_hidden() -> None:
    """A broken pipe is reported as such, and the next signal ends the run at once."""
    termination = Termination()
    with pytest.raises(BrokenPipeError), termination.deferred():
        raise BrokenPipeError
    with pytest.raises(SystemExit):
        termination.request(signal.SIGTERM)
