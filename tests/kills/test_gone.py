"""The host goes away amid a run: for some seconds, for a minute, for longer than all tries."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from typing_extensions import override

from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from genesys_sandbox.in_process import InProcessAdapter
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.end_to_end.process import END, PATIENCE, START, Run, begun, by_key, run, settings, written
from tests.kills.pipelines import until
from tests.many.budget import outputs, questions
from tests.pipeline.running import Outcome, Time, Warehouse, bag, config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from requests import PreparedRequest, Response

STREAM = "conversation_aggregates"
KEYS = ("interval_start", "routing_queue_id")
NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
STEPS = {"concurrency": 2, "window": "P1D", "max_window": "P1D", "lookback_days": 0}
QUERY = {"name": "calls", "metrics": ["nOffered"], "group_by": ["queueId"], "granularity": "PT1H"}


class Host:
    """A served sandbox that goes away and comes back, on the same port."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Serve it."""
        self._sandbox, self._served = sandbox, ExitStack()
        self.url = self._served.enter_context(serve(sandbox))

    def go(self) -> None:
        """Hang up on everybody, and listen no more."""
        self._served.close()

    def come_back(self) -> None:
        """Listen again."""
        self._served.enter_context(serve(self._sandbox, urlsplit(self.url).port or 0))


@contextmanager
def reading(path: str) -> Iterator[list[Run]]:
    """A tap that runs meanwhile; at the end of the block it has ended, and the list holds its run."""
    ended: list[Run] = []
    with begun("--config", path) as tap:

        def read() -> None:
            output, said = tap.communicate(timeout=PATIENCE)
            ended.append(Run(tap.returncode, output, said))

        reader = threading.Thread(target=read)
        reader.start()
        yield ended
        reader.join(PATIENCE)


def complete(sandbox: Sandbox, *runs: Run) -> bool:
    """Whether runs together hold every row of the witness, and none that is not the witness's."""
    rows = [row for each in runs for row in each.rows(STREAM)]
    return by_key(rows, KEYS) == by_key(ExpectedRows(sandbox).rows(presets()[STREAM], START, END), KEYS) != {}


@pytest.mark.slow
def test_gone_for_some_seconds(tmp_path: Path) -> None:
    """Nothing listens for three seconds amid a run: it tries again, and brings every row."""
    sandbox = Sandbox(Options(latency=0.1), now=lambda: NOW)
    host = Host(sandbox)
    with reading(written(tmp_path, "config", settings(host.url, "group_tree", **STEPS))) as ended:
        assert until(lambda: len(questions(sandbox)) >= 4)
        host.go()
        asked = len(questions(sandbox))
        time.sleep(3)
        assert ended == []
        host.come_back()
    host.go()
    (survivor,) = ended
    assert survivor.status == 0, survivor.said
    assert "sent no complete response" in survivor.said
    assert asked < len(questions(sandbox))
    assert complete(sandbox, survivor)


@pytest.mark.slow
def test_gone_for_longer_than_all_tries(tmp_path: Path) -> None:
    """The run ends with 1 and names the host; a next run begins where it stopped, and the rest arrives."""
    sandbox = Sandbox(Options(latency=0.1), now=lambda: NOW)
    host = Host(sandbox)
    path = written(tmp_path, "config", settings(host.url, "group_tree", **STEPS, max_retries=1))
    with reading(path) as ended:
        assert until(lambda: len(questions(sandbox)) >= 6)
        host.go()
    (failed,) = ended
    assert failed.status == 1
    assert urlsplit(host.url).netloc in failed.said
    assert "Traceback" not in failed.said
    assert not complete(sandbox, failed)
    asked = len(questions(sandbox))
    host.come_back()
    resumed = run("--config", path, "--state", written(tmp_path, "state", failed.state))
    host.go()
    assert resumed.status == 0, resumed.said
    assert complete(sandbox, failed, resumed)
    assert len(questions(sandbox)) - asked < asked + (END - START).days


class Absent(InProcessAdapter):
    """The way to a sandbox that goes away with one request, for so long by the clock."""

    def __init__(self, sandbox: Sandbox, clock: Time, seconds: float) -> None:
        """Be there until the fifth request."""
        super().__init__(sandbox)
        self._clock, self._seconds = clock, seconds
        self._sent, self._back = 0, 0.0

    @override
    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        self._sent += 1
        if self._sent == 5:
            self._back = self._clock.monotonic() + self._seconds
        if self._clock.monotonic() < self._back:
            raise requests.ConnectionError(request=request)
        return super().send(request, *args, **kwargs)


def visited(sandbox: Sandbox, seconds: float, state: dict[str, Any] | None = None, **changes: Any) -> Outcome:
    """One run, from whose fifth request on the sandbox is gone for so many seconds; no time passes really."""
    clock, error = Time(sandbox.now()), None
    period = {"start_date": START.isoformat(), "end_date": END.isoformat(), "lookback_days": 0}
    adapter = Absent(sandbox, clock, seconds)
    with outputs() as output:
        try:
            TapGenesysAggregates(
                config=config(**period, queries=[QUERY], **changes),
                state=state,
                clock=clock,
                mount=lambda session: session.mount("https://", adapter),
            ).sync_all()
        except TapError as raised:
            error = raised
        return Outcome([json.loads(line) for line in output.buffer.getvalue().splitlines()], error)


def test_gone_for_a_minute() -> None:
    """Seven tries after the first outlast a minute, whatever the jitter: nothing is missing."""
    sandbox = Sandbox(Options(volume=0.1), now=lambda: NOW)
    outcome = visited(sandbox, 60, max_retries=7)
    assert outcome.error is None
    assert bag(outcome.rows("calls")) == bag(ExpectedRows(sandbox).rows(QUERY, START, END))
    assert max(line["retries"] for line in outcome.rows("extractions")) > 5


def test_gone_for_longer_than_five_tries() -> None:
    """Five tries, the default, last half a minute: the run ends, its state stands, the next one is whole."""
    sandbox, warehouse = Sandbox(Options(volume=0.1), now=lambda: NOW), Warehouse()
    failed = visited(sandbox, 60)
    assert failed.error is not None
    warehouse.load(failed.messages)
    ends = [line["window_end"] for line in failed.rows("extractions")]
    assert ends
    assert warehouse.state["bookmarks"]["calls"]["replication_key_value"] == ends[-1]
    resumed = visited(sandbox, 0, warehouse.state)
    assert resumed.error is None
    assert min(row["interval_start"] for row in resumed.rows("calls")) >= ends[-1]
    warehouse.load(resumed.messages)
    assert bag(warehouse.rows("calls")) == bag(ExpectedRows(sandbox).rows(QUERY, START, END))
