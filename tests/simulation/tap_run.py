"""One run of the tap in this process: its clock never waits, its output can break at any line."""

from __future__ import annotations

import io
import json
import logging
import math
import signal
import sys
import threading
import traceback
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import requests
from typing_extensions import override
from urllib3.response import HTTPResponse

from genesys_sandbox.faults import http_date
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import ManualClock, Outcome
from tests.simulation.scenario import seeded_random

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from requests import PreparedRequest, Response

    from genesys_sandbox import Sandbox
    from tests.pipeline.running import Message
    from tests.simulation.scenario import Interruption, ScheduledRun

DRIP = "X-Drip"
"""A header that only the simulation uses: the body arrives in pieces, over so many seconds."""
_PIECES = 8


class Killed(BaseException):
    """The process is gone at once, as after SIGKILL: no handler may catch this."""


_INTERRUPTIONS = {"SIGKILL": Killed, "broken pipe": BrokenPipeError, "Ctrl-C": KeyboardInterrupt}


class SharedTime(ManualClock):
    """A clock that moves only when some thread sleeps on it.

    ``instant`` is the true time; ``now()`` is what the machine believes, which may be wrong.
    """

    def __init__(self, now: datetime, ahead: timedelta = timedelta()) -> None:
        super().__init__(now)
        self._behind = -ahead
        self._lock = threading.Lock()

    @override
    def now(self) -> datetime:
        return self.instant - self._behind

    @property
    def behind(self) -> timedelta:
        """How far the machine's clock is behind the true time."""
        return self._behind

    def set_back(self, seconds: float) -> None:
        """Set the machine's clock back; the true time goes on."""
        self._behind += timedelta(seconds=seconds)

    @override
    def sleep(self, seconds: float) -> None:
        with self._lock:  # rounded up: whoever waits for an instant would otherwise wake up just before it
            self.instant += timedelta(microseconds=math.ceil(seconds * 1_000_000) + 1)


class BreakableOutput(io.BytesIO):
    """Standard output, until an interruption: from then on nothing gets through."""

    def __init__(
        self, interruption: Interruption | None, terminate: Callable[[], None], pause: Callable[[], None]
    ) -> None:
        """Take the interruption, what to call where it is SIGTERM, which breaks nothing, and a slow target.

        ``pause`` is called before each piece of output that has rows.
        """
        super().__init__()
        self._pause = pause
        self._interruption = None if interruption and interruption.how == "at a request" else interruption
        self._terminate = terminate
        self._lines = 0
        self.interrupted = False

    @override
    def write(self, data: Any, /) -> int:
        interruption = self._interruption
        if self.interrupted and interruption and interruption.how != "SIGTERM":
            raise _INTERRUPTIONS[interruption.how]
        if b'"type":"RECORD"' in data:
            self._pause()
        lines = bytes(data).splitlines(keepends=True)
        self._lines += len(lines)
        if interruption is None or self.interrupted or self._lines < interruption.at:
            return super().write(data)
        self.interrupted = True
        if interruption.how == "SIGTERM":
            self._terminate()
            return super().write(data)
        over = self._lines - interruption.at
        written = b"".join(lines[: len(lines) - over])
        super().write(written[:-3] if interruption.at % 3 == 0 else written)  # sometimes in mid-line
        raise _INTERRUPTIONS[interruption.how]

    @override
    def writelines(self, lines: Iterable[Any], /) -> None:
        self.write(b"".join(lines))  # BytesIO.writelines() does not call write()


class SimulatedNetwork(InProcessAdapter):
    """The connection to the sandbox: notes requests to other hosts, and is closed once a run has ended."""

    def __init__(self, sandbox: Sandbox, host: str, foreign_requests: list[str], *, sends_date: bool) -> None:
        super().__init__(sandbox)
        self._now, self._sleep, self._sends_date = sandbox.now, sandbox.sleep, sends_date
        self._host = host
        self._foreign_requests = foreign_requests
        self.closed = False

    @override
    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if self.closed:
            raise requests.ConnectionError
        if not str(request.url).startswith(f"{self._host}/"):
            self._foreign_requests.append(f"a request went to {request.url}")
        date = http_date(self._now())
        response = super().send(request, *args, **kwargs)
        response.headers.pop("Date", None)
        if self._sends_date:
            response.headers["Date"] = date
        if seconds := response.headers.pop(DRIP, None):
            body = _SlowBody(response.raw.read(), lambda: self._sleep(float(seconds) / _PIECES))
            response.raw = HTTPResponse(body, response.headers, response.status_code, preload_content=False)
        return response


class _SlowBody(io.BytesIO):
    """A body that arrives in pieces."""

    def __init__(self, body: bytes, wait: Callable[[], None]) -> None:
        super().__init__(body)
        self._piece = len(body) // _PIECES + 1
        self._wait = wait

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        self._wait()
        return super().read(self._piece if size is None or size < 0 else min(size, self._piece))


class _ListHandler(logging.Handler):
    """Keeps what is logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def captured_log() -> Iterator[list[str]]:
    """Collect what is logged, and print none of it."""
    root, handler = logging.getLogger(), _ListHandler()
    before = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        root.handlers[:], level = before
        root.setLevel(level)


@contextmanager
def _restored_signal_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _close(networks: list[SimulatedNetwork]) -> None:
    """Close the connections of a run that has ended, and wait until its threads have noticed."""
    for network in networks:
        network.closed = True
    for thread in threading.enumerate():
        if thread.name in {"prefetch", "cancel"}:
            thread.join(1)


def _traceback(error: BaseException | None) -> str:
    """The traceback of an error as text; its frames are released, as at the end of a process."""
    if error is None:
        return ""
    text = "".join(traceback.format_exception(error))
    error.__traceback__ = error.__context__ = None
    return text


@dataclass(frozen=True, slots=True)
class TapRun:
    """A run that has ended.

    Attributes:
        outcome: What was written and how the run ended.
        interrupted: Whether its output interrupted it.
        foreign_requests: Its requests to other hosts.
        failed: The streams that failed, each with its message.
    """

    outcome: Outcome
    interrupted: bool
    foreign_requests: list[str]
    failed: dict[str, str]


def run_tap(  # noqa: PLR0913  # everything that a run depends on
    sandbox: Sandbox,
    settings: Mapping[str, Any],
    state: Message,
    clock: SharedTime,
    scheduled: ScheduledRun,
    *,
    sends_date: bool,
    pause: Callable[[], None],
) -> TapRun:
    """Run the tap once.

    Args:
        sandbox: The sandbox that answers.
        settings: The config.
        state: The state to start from.
        clock: The clock that the tap uses.
        scheduled: The run, with how it is ended early, if it is.
        sends_date: Whether responses have the header ``Date``.
        pause: Called before each piece of output with rows.
    """
    networks: list[SimulatedNetwork] = []
    foreign_requests: list[str] = []
    taps: list[TapGenesysAggregates] = []
    error: BaseException | None = None

    def mount(session: requests.Session) -> None:
        host = str(settings["base_url"])
        networks.append(SimulatedNetwork(sandbox, host, foreign_requests, sends_date=sends_date))
        session.mount("https://", networks[-1])

    def terminate() -> None:
        taps[0]._handle_termination(signal.SIGTERM, None)  # noqa: SLF001  # as the signal would

    output = BreakableOutput(scheduled.interruption, terminate, pause)
    out = io.TextIOWrapper(output, encoding="utf-8", write_through=True)
    with redirect_stdout(out), _restored_signal_handlers(), captured_log() as log:
        try:
            taps.append(
                TapGenesysAggregates(
                    config=dict(settings), state=json.loads(json.dumps(state)), clock=clock, mount=mount
                )
            )
            # The jitter of retries must depend on the seed alone.
            taps[0].client.transport._random = seeded_random(scheduled.hours)  # noqa: SLF001
            taps[0].sync_all()
            sys.stdout.flush()
        except BaseException as raised:  # noqa: BLE001  # however it ended, that is the outcome
            error = raised
        ending = _traceback(error)
        _close(networks)
    lines = output.getvalue().decode().splitlines(keepends=True)
    messages = [json.loads(line) for line in lines if line.endswith("\n")]
    failed = {name: str(each) for name, each in taps[0].failures.errors.items()} if taps else {}
    outcome = Outcome(messages, error, "\n".join([*log, ending]))
    return TapRun(outcome, output.interrupted, foreign_requests, failed)
