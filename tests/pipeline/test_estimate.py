"""``--estimate`` foretells the requests of a run, and sends none."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genesys_sandbox import Options, Sandbox, SettableClock
from tap_genesys_aggregates.core import instants
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.core.making import examples
from tests.pipeline.running import ManualClock, config, run

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 16, 10, 10, tzinfo=timezone.utc)
CALLS = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}

RANKING = {"query_type": "topN", "sort_metric": {"name": "nOffered", "function": "count"}, "limit": 2}


def in_all(lines: list[str]) -> tuple[int, int]:
    """The least and the most requests of the whole run."""
    return limits(next(line for line in lines if line.startswith("in all")), "request")


def sandbox_with(**options: Any) -> Sandbox:
    """A sandbox with few calls, on a Monday morning."""
    settings = {"volume": 0.005, "requests_per_minute": 100_000, **options}
    return Sandbox(Options(**settings), now=SettableClock(NOW))


def estimated(settings: dict[str, Any], state: dict[str, Any] | None = None) -> list[str]:
    """What ``--estimate`` prints; a request would fail, as the host does not exist."""
    tap = TapGenesysAggregates(
        config=dict(settings), state=json.loads(json.dumps(state or {})), clock=ManualClock(NOW)
    )
    return list(tap.estimate())


def limits(line: str, noun: str) -> tuple[int, int]:
    """The least and the most of what a line says about requests or minutes."""
    before = line[: line.rindex(f" {noun}")].replace(",", "").split()
    most = int(before[-1])
    return (int(before[-3]) if before[-2:-1] == ["to"] else most), most


@st.composite
def settings_of_runs(draw: st.DrawFn) -> dict[str, Any]:
    """The config of a load over up to two months, with windows that may grow."""
    grain = draw(st.sampled_from(["PT6H", "P1D", "P1W"]))
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
    window = draw(st.sampled_from(["P1D", "P3D", "P1W", "P1M"]))
    pace = draw(st.sampled_from([1, 5, 300]))
    start = NOW - timedelta(days=draw(st.integers(0, 60)), hours=draw(st.integers(0, 23)))
    return config(
        queries=[{**CALLS, "granularity": grain, "time_zone": zone, "window": window}],
        start_date=instants.text(start),
        max_window=draw(st.sampled_from(["P1D", "P4D", "P10D", "P31D"])),
        lookback_days=draw(st.integers(0, 10)),
        requests_per_minute=pace,
        recheck_requests=draw(st.sampled_from([0, 1, 2])),
        concurrency=3 if pace == 300 else 1,  # a thread that waits moves the clock of the others
    )


@examples(60)
@given(settings_of_runs())
def test_a_run_sends_as_many_requests_and_takes_as_long_as_estimated(settings: dict[str, Any]) -> None:
    """The first run and the two after it. Nothing takes time here but waiting for the pace."""
    state: dict[str, Any] = {}
    for _ in range(3):
        query, *others = estimated(settings, state)
        rechecks = [line for line in others if line.startswith("rechecks")]
        total = others[len(rechecks)]
        sandbox, clock = sandbox_with(), ManualClock(NOW)
        outcome = run(sandbox, settings, state=state, time=clock)
        assert outcome.error is None
        least, most = limits(total, "request")
        assert least <= len(sandbox.log) <= most
        asked = [each.body for each in sandbox.log if "aggregates" in each.path]
        looks = sum(isinstance(body, dict) and "granularity" not in body for body in asked)
        assert looks == (limits(rechecks[0].partition(" to look")[0], "request")[0] if rechecks else 0)
        if "nothing" not in query and not rechecks:
            assert limits(query, "request") == (least - 1, most - 1)
        least, most = limits(total, "minute")
        assert least <= (clock.now() - NOW) / timedelta(minutes=1) < most + 1
        state = outcome.state


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({**CALLS, "mode": "async", "window": "P7D"}, {}),
        ({"preset": "agent_status"}, {"agents": 90}),
        ({"preset": "agent_status"}, {"agents": 250}),
        ({"preset": "conversation_aggregates", "api": "group_tree"}, {}),
    ],
    ids=["a job per window", "users in one request", "users in three requests", "a group tree"],
)
def test_what_is_not_known_only_makes_a_run_longer(query: dict[str, Any], options: dict[str, Any]) -> None:
    api = str(query.pop("api", "results")) if "api" in query else "results"
    settings = config(api=api, queries=[query], start_date="2026-03-10T00:00:00Z")
    lines = estimated(settings)
    least, most = in_all(lines)
    sandbox = sandbox_with(**options)
    assert run(sandbox, settings).error is None
    assert least <= len(sandbox.log)
    assert len([line for line in lines if line.startswith("not known")]) == 2
    if options.get("agents") == 90:
        assert least == most == len(sandbox.log)


@pytest.mark.parametrize(
    ("query", "end_date", "rechecks", "looks"),
    [
        (CALLS, None, 1, 1),
        (CALLS, None, 5, 2),  # January and February have settled
        (CALLS, "2026-02-20T00:00:00Z", 5, 1),
        ({**CALLS, "mode": "async"}, None, 2, 2 * 3),
        (CALLS, None, 0, 0),
        ({**CALLS, **RANKING}, None, 1, 0),
    ],
    ids=["one", "no more than months", "until the end_date", "jobs", "turned off", "a ranking"],
)
def test_the_requests_that_look_at_settled_months_have_a_line_of_their_own(
    query: dict[str, Any], end_date: str | None, rechecks: int, looks: int
) -> None:
    """They are part of the sum, and a first run sends as many."""
    settings = config(
        queries=[query],
        start_date="2026-01-05T00:00:00Z",
        recheck_requests=rechecks,
        **({"end_date": end_date} if end_date else {}),
    )
    lines, without = estimated(settings), estimated({**settings, "recheck_requests": 0})
    own = [line for line in lines if line.startswith("rechecks: ")]
    noun = "request" if looks == 1 else "requests"
    assert [line.partition(", ")[0] for line in own] == (
        [f"rechecks: {looks} {noun} to look at settled months"] if looks else []
    )
    assert in_all(lines)[0] == in_all(without)[0] + looks
    sandboxes = sandbox_with(), sandbox_with()
    for sandbox, number in zip(sandboxes, (rechecks, 0), strict=True):
        assert run(sandbox, {**settings, "recheck_requests": number}).error is None
    sent = len(sandboxes[0].log) - len(sandboxes[1].log)
    assert sent >= looks if "mode" in query else sent == looks  # a job may not be done at the first poll


def test_a_query_that_would_be_refused_is_told_and_the_others_are_estimated() -> None:
    settings = config(queries=[CALLS, {**CALLS, "name": "other"}])
    state = run(sandbox_with(), settings).state
    changed = config(queries=[{**CALLS, "granularity": "P1D"}, {**CALLS, "name": "other"}])
    tap = TapGenesysAggregates(config=changed, state=state, clock=ManualClock(NOW))
    lines = tap.estimate()
    assert next(lines).startswith("other: 8 requests")
    with pytest.raises(Exception, match="'calls' is not the one that its table was loaded for"):
        list(lines)


def test_the_command_prints_the_estimate_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Standard output has its lines and no Singer message; the state is read as in a run."""
    settings = config(queries=[CALLS], start_date="2026-03-02T00:00:00Z", end_date="2026-03-16T00:00:00Z")
    state = {"bookmarks": {"calls": {"replication_key_value": "2026-03-15T00:00:00.000Z"}}}
    files = {"config": settings, "state": state}
    arguments = []
    for name, value in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
        arguments += [f"--{name}", str(tmp_path / f"{name}.json")]
    TapGenesysAggregates.cli.main([*arguments, "--estimate"], standalone_mode=False)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "calls: 1 request, 0 minutes, for 2026-03-15T00:00:00.000Z/2026-03-16T00:00:00.000Z"
    assert lines[1] == "in all, with the token: 2 requests, at 300 a minute: 0 minutes or more"
    assert len(lines) == 3


def test_the_example_in_the_docs_is_what_the_command_prints() -> None:
    """The two default tables over a year, at noon of June 30, 2025."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    example = page.split("--estimate\n```\n\n```text\n")[1].split("```")[0]
    settings = {
        "client_id": "your OAuth client",
        "client_secret": "its secret",
        "region": "eu_west_1",
        "start_date": "2024-07-01T00:00:00Z",
    }
    noon = ManualClock(datetime(2025, 6, 30, 12, 5, tzinfo=timezone.utc))
    assert example.splitlines() == list(TapGenesysAggregates(config=settings, clock=noon).estimate())
