"""One run of the tap, into a pipe that may break at any line."""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
import threading
import traceback
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import requests
from typing_extensions import override
from urllib3.response import HTTPResponse

from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import Outcome
from tests.simulation.dice import dice
from tests.simulation.killed import Killed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from requests import PreparedRequest, Response

    from genesys_sandbox import Sandbox
    from tests.pipeline.running import Message
    from tests.simulation.clock import SharedTime
    from tests.simulation.visits import Kill, Visit

DRIP = "X-Drip"
"""A header of the simulation's own: in so many seconds the body arrives, bit by bit."""
_BITS = 8
_ENDS = {"SIGKILL": Killed, "broken pipe": BrokenPipeError, "Ctrl-C": KeyboardInterrupt}


class Pipe(io.BytesIO):
    """Standard output, until it breaks: from then on nothing gets through."""

    def __init__(self, kill: Kill | None, terminate: Callable[[], None]) -> None:
        """Break as this says; where it is SIGTERM, only ask."""
        super().__init__()
        self._kill = None if kill and kill.how == "at a request" else kill
        self._terminate = terminate
        self._lines = 0
        self.killed = False

    @override
    def write(self, data: Any, /) -> int:
        kill = self._kill
        if self.killed and kill and kill.how != "SIGTERM":
            raise _ENDS[kill.how]
        lines = bytes(data).splitlines(keepends=True)
        self._lines += len(lines)
        if kill is None or self.killed or self._lines < kill.at:
            return super().write(data)
        self.killed = True
        if kill.how == "SIGTERM":
            self._terminate()
            return super().write(data)
        over = self._lines - kill.at
        through = b"".join(lines[: len(lines) - over])
        super().write(through[:-3] if kill.at % 3 == 0 else through)  # torn in the middle of a line, at times
        raise _ENDS[kill.how]

    @override
    def writelines(self, lines: Iterable[Any], /) -> None:
        self.write(b"".join(lines))  # of itself it would not pass by here


class Wire(InProcessAdapter):
    """The way to the sandbox: it hears of other hosts, and is cut when the run has ended."""

    def __init__(self, sandbox: Sandbox, host: str, strayed: list[str]) -> None:
        """Lead to a sandbox by the name of a host."""
        super().__init__(sandbox)
        self._sleep = sandbox.sleep
        self._host = host
        self._strayed = strayed
        self.cut = False

    @override
    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if self.cut:
            raise requests.ConnectionError
        if not str(request.url).startswith(f"{self._host}/"):
            self._strayed.append(f"a request went to {request.url}")
        response = super().send(request, *args, **kwargs)
        if seconds := response.headers.pop(DRIP, None):
            drip = _Drip(response.raw.read(), lambda: self._sleep(float(seconds) / _BITS))
            response.raw = HTTPResponse(drip, response.headers, response.status_code, preload_content=False)
        return response


class _Drip(io.BytesIO):
    """A body that arrives bit by bit."""

    def __init__(self, body: bytes, wait: Callable[[], None]) -> None:
        super().__init__(body)
        self._bit = len(body) // _BITS + 1
        self._wait = wait

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self._wait()
        return super().read(self._bit if size is None or size < 0 else min(size, self._bit))


class _Lines(logging.Handler):
    """What is logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what is logged, and show none of it."""
    root, handler = logging.getLogger(), _Lines()
    before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        root.handlers[:], level = before
        root.setLevel(level)


def _leave(wires: list[Wire]) -> None:
    """Cut the lines of a run that has ended, and wait until what it left behind has noticed."""
    for wire in wires:
        wire.cut = True
    for thread in threading.enumerate():
        if thread.name in {"prefetch", "cancel"}:
            thread.join(1)


def _told(error: BaseException | None) -> str:
    """The traceback of an error as text; what its frames hold is let go, as at the end of a process."""
    if error is None:
        return ""
    told = "".join(traceback.format_exception(error))
    error.__traceback__ = error.__context__ = None
    return told


@contextmanager
def _own_signals() -> Iterator[None]:
    """The handlers that a tap sets are gone when it has ended."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(
    sandbox: Sandbox,
    settings: Mapping[str, Any],
    state: Message,
    clock: SharedTime,
    visit: Visit,
) -> tuple[Outcome, bool, list[str]]:
    """Run the tap once.

    Args:
        sandbox: Who answers.
        settings: The config.
        state: What an earlier run left.
        clock: Time.
        visit: How the run is ended early, if it is.

    Returns:
        What got through and how it ended, whether it was killed by its pipe, and other hosts that it asked.
    """
    wires: list[Wire] = []
    strayed: list[str] = []
    taps: list[TapGenesysAggregates] = []
    error: BaseException | None = None

    def mount(session: requests.Session) -> None:
        wires.append(Wire(sandbox, str(settings["base_url"]), strayed))
        session.mount("https://", wires[-1])

    def terminate() -> None:
        taps[0]._handle_termination(signal.SIGTERM, None)  # noqa: SLF001  # as the signal would

    pipe = Pipe(visit.kill, terminate)
    out = io.TextIOWrapper(pipe, encoding="utf-8", write_through=True)
    with redirect_stdout(out), _own_signals(), logged() as log:
        try:
            taps.append(
                TapGenesysAggregates(
                    config=dict(settings), state=json.loads(json.dumps(state)), clock=clock, mount=mount
                )
            )
            taps[0].client.transport._random = dice(visit.hours)  # noqa: SLF001  # one seed, one world
            taps[0].sync_all()
            sys.stdout.flush()
        except BaseException as raised:  # noqa: BLE001  # whatever ended it is part of the outcome
            error = raised
        told = _told(error)
        _leave(wires)
    lines = pipe.getvalue().decode().splitlines(keepends=True)
    messages = [json.loads(line) for line in lines if line.endswith("\n")]
    return Outcome(messages, error, "\n".join([*log, told])), pipe.killed, strayed
