"""History of any age that changes is found by one coarse request a run, and read again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from genesys_sandbox import ExpectedRows, Fault, LateRewrite, Options, Request, Sandbox, SettableClock
from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.core.rechecks import REREAD_WINDOWS
from tests.pipeline.running import DAILY_CALLS, QUEUE, ManualClock, Warehouse, config, multiset, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.running import Message, Outcome, Row

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 10, 6, tzinfo=timezone.utc)
START = datetime(2026, 1, 20, tzinfo=timezone.utc)
ORDER = ("lookback", "new", "recheck")
VOICE = {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]}


@dataclass
class Organization:
    """A contact center that goes on day by day, and what daily runs of the tap load."""

    query: dict[str, Any] = field(default_factory=lambda: DAILY_CALLS)
    settings: dict[str, Any] = field(default_factory=dict)
    options: Options = field(default_factory=lambda: Options(volume=0.02, agents=4, replay=False))

    def __post_init__(self) -> None:
        self.clock = SettableClock(NOW)
        self.sandbox = Sandbox(self.options, now=self.clock)
        self.warehouse = Warehouse()
        self.requests: list[int] = []

    def load(self, *, after: timedelta = DAY, state: Message | None = None, **settings: Any) -> Outcome:
        """Run the tap, some time after the run before."""
        if self.requests:
            self.clock.set(self.clock() + after)
        self.sandbox.log.clear()
        given = {
            "queries": [self.query],
            "start_date": START.isoformat(),
            "max_window": "P31D",
            "recheck_requests": 1,
        }
        outcome = run(
            self.sandbox,
            config(**{**given, **self.settings, **settings}),
            state=self.warehouse.state if state is None else state,
            time=ManualClock(self.clock()),
        )
        if outcome.error:
            raise outcome.error
        self.warehouse.load(outcome.messages)
        self.requests.append(sum("aggregates" in entry.path for entry in self.sandbox.log))
        return outcome

    def rewrite(self, start: datetime, days: float = 1, **changes: Any) -> None:
        """Change history now."""
        end = start + timedelta(days=days)
        self.sandbox.history.late_rewrites.append(LateRewrite(self.clock(), start, end, **changes))

    def current(self) -> list[Row]:
        """The rows of the buckets' last pulls, as the view shows them."""
        ledger = [row for row in self.warehouse.rows("extractions") if row["query"] == self.query["name"]]

        def is_current(row: Row) -> bool:
            start = row["interval_start"]
            pulls = [
                each["extracted_at"] for each in ledger if each["window_start"] <= start < each["window_end"]
            ]
            return bool(row["extracted_at"] >= max(pulls))

        return [row for row in self.warehouse.rows(self.query["name"]) if is_current(row)]

    def expected(self) -> list[Row]:
        """What the table must hold."""
        stop = self.clock().replace(hour=0)
        query = {**self.query, "api": self.settings.get("api", "results")}
        return ExpectedRows(self.sandbox).rows(query, START, stop, self.clock())

    @property
    def rechecks(self) -> dict[str, Any]:
        """The state of the rechecks."""
        found: dict[str, Any] = self.warehouse.state["bookmarks"][self.query["name"]].get("rechecks", {})
        return found

    def fingerprints(self) -> int:
        """How many stretches have a fingerprint."""
        return sum(len(months) for months in self.rechecks.get("months", {}).values())


def reread(outcome: Outcome) -> list[tuple[str, str]]:
    """The windows that a run read because history had changed."""
    return [
        (row["window_start"][:10], row["window_end"][:10])
        for row in outcome.rows("extractions")
        if row["reason"] == "recheck"
    ]


def at(day: str) -> datetime:
    """The beginning of a day."""
    return datetime.fromisoformat(f"{day}T00:00:00+00:00")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="every number of a day"),
        pytest.param({"metric": "tHandle"}, id="one metric"),
        pytest.param(
            {"removes": True, "dimension": "queueId", "value": QUEUE, "days": 20}, id="a deleted group"
        ),
    ],
)
def test_a_change_of_any_age_is_found_within_as_many_runs_as_there_are_months(
    changes: dict[str, Any],
) -> None:
    organization = Organization()
    for _ in range(6):
        organization.load()
    months = organization.fingerprints()
    assert months == 5
    organization.rewrite(at("2026-03-05"), **changes)
    before = multiset(organization.current())
    read = [reread(organization.load()) for _ in range(months)]

    windows = [window for run in read for window in run]
    assert multiset(organization.current()) == multiset(organization.expected()) != before
    assert windows[0][0] == "2026-03-01"
    assert windows[-1][1] == "2026-04-01"
    assert organization.load().rows("extractions")[-1]["reason"] == "new"


def settled(organization: Organization, runs: int = 6) -> Organization:
    """An organization of which every settled month has a fingerprint."""
    for _ in range(runs):
        organization.load()
    assert organization.fingerprints() == 5
    return organization


def test_a_quiet_run_costs_one_request_more_than_without_rechecks() -> None:
    organization = settled(Organization())
    organization.load()
    with_one = organization.requests[-1]
    organization.load(recheck_requests=0)
    assert with_one == organization.requests[-1] + 1


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        pytest.param({"shape": "long"}, {}, id="long rows"),
        pytest.param({"mode": "async"}, {}, id="jobs"),
        pytest.param({"time_zone": "Europe/London", "granularity": "PT12H"}, {}, id="clocks change"),
        pytest.param({"granularity": "P1W"}, {}, id="weeks"),
        pytest.param(
            {"endpoint": "users", "group_by": ["userId"], "metrics": ["tAgentRoutingStatus"]}, {}, id="users"
        ),
        pytest.param(
            {"group_by": ["routing.queue.id", "interval"], "metrics": ["handleDurationSum"]},
            {"api": "group_tree"},
            id="group tree",
        ),
        pytest.param(
            {"group_by": ["routing.queue.id"], "metrics": ["handleDurationSum"]},
            {"api": "group_tree"},
            id="group tree without intervals",
        ),
    ],
)
def test_every_kind_of_query_is_rechecked(query: dict[str, Any], settings: dict[str, Any]) -> None:
    organization = settled(Organization({**DAILY_CALLS, **query}, settings))
    organization.rewrite(at("2026-04-14"), days=3)
    read = [window for _ in range(5) for window in reread(organization.load())]
    assert read
    start = min(start for start, _ in read)
    stop = max(stop for _, stop in read)
    assert "2026-03-29" <= start <= "2026-04-06"
    assert "2026-04-30" <= stop <= "2026-05-06"
    if "granularity" not in query:
        assert multiset(organization.current()) == multiset(organization.expected())


def test_a_ranking_is_not_rechecked() -> None:
    ranking = {"query_type": "topN", "sort_metric": {"name": "nOffered", "function": "count"}, "limit": 2}
    organization = Organization({**DAILY_CALLS, **ranking})
    organization.load()
    assert organization.rechecks == {}


@pytest.mark.parametrize(
    ("end_date", "months"),
    [
        ("2026-04-15T00:00:00Z", ["2026-01", "2026-02", "2026-03"]),
        ("2026-03-01T00:00:00Z", ["2026-01", "2026-02"]),
    ],
)
def test_a_month_that_an_end_date_cuts_is_not_rechecked(end_date: str, months: list[str]) -> None:
    """Whole months before it are; a change in the days of the cut month stays unnoticed, as the docs say."""
    organization = Organization(settings={"end_date": end_date, "recheck_requests": 9})
    organization.load()
    organization.load()
    found = organization.rechecks["months"].items()
    assert [f"{year}-{month}" for year, each in found for month in each] == months
    end = datetime.fromisoformat(end_date)
    organization.rewrite(end - DAY, removes=True)
    outcome = organization.load()
    is_whole = end.day == 1
    assert bool([row for row in outcome.rows("extractions") if row["reason"] == "recheck"]) == is_whole


def test_the_state_shows_month_fingerprint_and_day_and_stays_small() -> None:
    organization = settled(Organization())
    months = organization.rechecks["months"]["2026"]
    assert list(months) == ["01", "02", "03", "04", "05"]
    assert all(re.fullmatch(r"[\w~]{5} 2606\d\d", each) for each in months.values())

    years = {
        str(year): dict.fromkeys(map("{:02}".format, range(1, 13)), "a1b2c 261126")
        for year in range(2016, 2026)
    }
    bookmark = organization.warehouse.state["bookmarks"]["calls"]
    full = {**bookmark, "rechecks": {**organization.rechecks, "months": years}}
    state = {"bookmarks": {f"a_query_{number:02}": full for number in range(20)}}
    assert len(msgspec.json.encode(state)) < 64 * 1024


def test_a_changed_option_is_repaired_a_month_a_run_with_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    organization = settled(Organization())
    organization.rewrite(START, days=100, metric="tHandle")
    windows = []
    for _ in range(5):
        outcome = organization.load()
        windows.append(len(reread(outcome)))
        rows = [row for row in outcome.rows("extractions") if row["query"] == "calls"]
        assert [row["reason"] for row in rows] == sorted((row["reason"] for row in rows), key=ORDER.index)
    assert max(windows) <= REREAD_WINDOWS
    assert multiset(organization.current()) == multiset(organization.expected())
    assert "the last 3 settled months that were looked at, of 5, have all changed" in caplog.text
    assert "requests are left" in caplog.text


def test_what_one_run_may_not_read_again_is_read_by_the_next() -> None:
    organization = Organization(
        {**DAILY_CALLS, "granularity": "PT12H"}, {"window": "PT12H", "max_window": "PT12H"}
    )
    settled(organization, runs=12)
    organization.rewrite(at("2026-03-30"))
    counts = [len(reread(organization.load())) for _ in range(8)]
    assert max(counts) == REREAD_WINDOWS
    assert sum(counts) == 62
    assert multiset(organization.current()) == multiset(organization.expected())


def test_a_month_too_long_for_one_request_is_asked_for_in_halves(caplog: pytest.LogCaptureFixture) -> None:
    limited = Options(volume=0.02, agents=4, replay=False, longest=timedelta(days=10))
    organization = Organization(options=limited, settings={"recheck_requests": 8})
    for _ in range(8):
        organization.load()
    assert [*organization.rechecks["months"]["2026"]][:6] == [
        "01.1",
        "01.2",
        "02.11",
        "02.12",
        "02.21",
        "02.22",
    ]
    organization.rewrite(at("2026-02-02"))
    read = [window for _ in range(3) for window in reread(organization.load())]
    assert (read[0][0], read[-1][1]) == ("2026-02-01", "2026-02-08")
    assert multiset(organization.current()) == multiset(organization.expected())
    assert "does not answer" not in caplog.text


def test_a_month_that_is_never_answered_is_told_once_and_does_not_stop_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    limited = Options(volume=0.02, agents=4, replay=False, longest=timedelta(days=1))
    organization = Organization(options=limited, settings={"recheck_requests": 40, "max_window": "P1D"})
    for _ in range(4):
        organization.load()
    assert caplog.text.count("does not answer for") == 1
    assert multiset(organization.current()) == multiset(organization.expected())


def with_a_stray_metric(body: bytes) -> bytes:
    answer = json.loads(body)
    for result in answer["results"]:
        for bucket in result["data"]:
            bucket["metrics"].append({"metric": "nStray", "stats": {"count": 1}})
    return json.dumps(answer).encode()


def with_a_stray_dimension(body: bytes) -> bytes:
    answer = json.loads(body)
    for result in answer["results"]:
        result["group"]["stray"] = "yes"
    return json.dumps(answer).encode()


def with_a_group_twice(body: bytes) -> bytes:
    answer = json.loads(body)
    answer["results"] += json.loads(body)["results"]
    for bucket in answer["results"][-1]["data"]:
        for metric in bucket["metrics"]:
            metric["stats"] = {name: value + 1 for name, value in metric["stats"].items()}
    return json.dumps(answer).encode()


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        pytest.param(lambda _: b"[1]", "the response does not match", id="in another form"),
        pytest.param(with_a_stray_metric, ".* 'nStray', which was not asked for", id="with a metric more"),
        pytest.param(with_a_stray_dimension, "rows are grouped by 'stray'", id="with a dimension more"),
        pytest.param(with_a_group_twice, "two rows came with the same key", id="with a group twice"),
    ],
)
def test_a_look_that_cannot_be_read_fails_after_everything_else_was_loaded(
    odd: Callable[[bytes], bytes], message: str
) -> None:
    """Such as of a platform that answers differently for a whole month.

    The month and what to set are in the message.
    """

    def plan(_number: int, request: Request) -> Fault | None:
        is_look = "aggregates" in request.path and b'"granularity"' not in request.body
        edit = Fault("odd", edit=lambda _, response: replace(response, body=odd(response.body)))
        return edit if is_look else None

    organization = settled(Organization())
    organization.sandbox.faults = plan
    before = organization.rechecks
    month = "query 'calls', window 2026-02-01T00:00:00.000Z/2026-03-01T00:00:00.000Z, in a single bucket: "
    with pytest.raises(TapError, match=f"^{month}{message}.*set recheck_requests: 0 on it"):
        organization.load()
    assert organization.rechecks == before, "nothing is remembered of it"
    organization.query = {**DAILY_CALLS, "recheck_requests": 0}
    organization.load()
    assert multiset(organization.current()) == multiset(organization.expected())


def test_a_new_metric_makes_every_month_unknown() -> None:
    organization = settled(Organization())
    organization.query = {**DAILY_CALLS, "metrics": [*DAILY_CALLS["metrics"], "tAcw"]}
    organization.load()
    assert organization.fingerprints() == 1


def test_rows_of_an_older_query_are_left_as_they_are() -> None:
    organization = settled(Organization())
    organization.query = {**DAILY_CALLS, "granularity": "PT12H", "on_query_change": "continue"}
    read = [window for _ in range(6) for window in reread(organization.load())]
    assert read == []
    assert organization.rechecks == {"floor": "2026-06-08T06:00:00.000Z"}


def test_a_moved_start_date_makes_its_months_unknown() -> None:
    organization = settled(Organization())
    organization.load(start_date="2026-01-10T00:00:00Z", recheck_requests=0)
    outcome = organization.load(start_date="2026-01-10T00:00:00Z")
    assert reread(outcome)[0][0] == "2026-01-10"
    assert reread(organization.load(start_date="2026-01-10T00:00:00Z")) == []


def test_a_month_that_end_date_no_longer_cuts_is_read_again() -> None:
    organization = Organization(settings={"end_date": "2026-05-20T00:00:00Z"})
    for _ in range(8):
        organization.load(after=5 * DAY)
    assert [*organization.rechecks["months"]["2026"]] == ["01", "02", "03", "04"]
    organization.rewrite(at("2026-05-05"))
    assert [reread(organization.load()) for _ in range(5)] == [[]] * 5
    organization.settings = {}
    read = reread(organization.load())
    assert (read[0][0], read[-1][1]) == ("2026-05-01", "2026-06-01")
    assert multiset(organization.current()) == multiset(organization.expected())


def test_rechecks_leave_the_bookmark_as_it_is() -> None:
    organization = settled(Organization())
    organization.rewrite(at("2026-03-05"))
    for _ in range(5):
        states = [
            message["value"]["bookmarks"]["calls"]
            for message in organization.load().messages
            if message["type"] == "STATE"
            and "replication_key_value" in message["value"]["bookmarks"]["calls"]
        ]
        for name in ("replication_key_value", "final_before", "loaded_since"):
            values = [state[name] for state in states]
            assert values == sorted(values)


def test_the_ledger_says_why_a_window_was_pulled() -> None:
    organization = settled(Organization())
    reasons = {row["reason"] for row in organization.warehouse.rows("extractions")}
    assert reasons == {"new", "lookback", "recheck"}
    moved: dict[str, Any] = {"start_date": "2026-01-10T00:00:00Z"}
    assert {row["reason"] for row in organization.load(**moved).rows("extractions")} >= {
        "backfill",
        "lookback",
        "new",
    }
    organization.query = {**DAILY_CALLS, "filter": VOICE, "on_query_change": "reload"}
    rows = organization.load(**moved).rows("extractions")
    assert [row["reason"] for row in rows if row["reason"] != "recheck"] == ["reload"] * (len(rows) - 1) + [
        "new"
    ]
