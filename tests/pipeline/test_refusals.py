"""Every refusal has a fix that works: the table of ``docs/refusals.md``, each fix followed word by word.

Each case first loads its table from a platform that behaves. Then the platform acquires a habit, and a run is
refused; then the message's own words are followed, with the state and the table that exist.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from singer_sdk.exceptions import ConfigValidationError

from genesys_sandbox import Fault, Options, Sandbox, SettableClock
from genesys_sandbox.faults import error_in_200, html, same_page, status
from genesys_sandbox.http_messages import ApiError, json_response
from tap_genesys_aggregates.core.errors import TapError
from tests.pipeline.running import ManualClock, Warehouse, config, run

if TYPE_CHECKING:
    from genesys_sandbox import Request, Response
    from genesys_sandbox.faults import Plan
    from tests.pipeline.running import Outcome

Json: TypeAlias = Any
Change: TypeAlias = Callable[[Json, Json], "Json"]
"""Takes the payload of a request and the body of its response; returns the new body."""

START = datetime(2026, 3, 2, tzinfo=timezone.utc)
BEFORE = datetime(2026, 3, 5, tzinfo=timezone.utc)
NOW = datetime(2026, 3, 6, tzinfo=timezone.utc)
CLOCK = SettableClock(NOW)
SANDBOX = Sandbox(Options(volume=0.05, agents=4), now=CLOCK)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "refusals.md"

CALLS: dict[str, Any] = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"]}
LONG = {**CALLS, "shape": "long"}
AGENTS = {"name": "calls", "endpoint": "users", "group_by": ["userId"], "metrics": ["tSystemPresence"]}
JOBS = {**CALLS, "mode": "async", "window": "P1D"}
TREE: dict[str, Any] = {
    "name": "calls",
    "metrics": ["conversationCount"],
    "group_by": ["interval", "routing.queue.id"],
    "page_size": 100,
}
OTHERS = {"name": "others", "endpoint": "flows", "metrics": ["nFlow"], "group_by": ["flowId"]}
TREE_OTHERS = {**TREE, "name": "others", "metrics": ["abandonCount"]}
CONVERSATIONS = "/conversations/aggregate"
VOICE = {"type": "and", "predicates": [{"dimension": "mediaType", "value": "voice"}]}
KEEP = {"filter": VOICE, "on_query_change": "continue"}


@dataclass(frozen=True)
class Way:
    """A fix.

    Attributes:
        words: A part of the message: what it says to do.
        changes: The fields of the query that these words change; None removes one.
        settings: The settings that they change.
        cured: Whether what they say changes the platform: it is right again.
        forget: Whether the table is dropped and its bookmark removed.
    """

    words: str
    changes: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    cured: bool = False
    forget: bool = False


@dataclass(frozen=True)
class Case:
    """A habit of a platform, and a query that it makes the tap refuse.

    Attributes:
        query: The query.
        says: What the message matches.
        ways: Each fix that it names.
        habit: What goes wrong with requests that match.
        match: Part of their method and target.
        api: The API.
        settings: Further settings.
        worked: Whether the query loaded before; if not, it was wrong from the beginning.
        stops_all: Whether the refusal concerns all queries.
    """

    query: dict[str, Any]
    says: str
    ways: tuple[Way, ...]
    habit: Fault | None = None
    match: str = CONVERSATIONS
    api: str = "results"
    settings: dict[str, Any] = field(default_factory=dict)
    worked: bool = True
    stops_all: bool = False


def habit(change: Change) -> Fault:
    """A habit that changes the body of every response to a request for `calls`."""

    def edit(request: Request, response: Response) -> Response:
        payload: Json = request.payload or {}
        if response.status != 200 or payload.get("metrics") == TREE_OTHERS["metrics"]:
            return response
        changed = change(payload, json.loads(response.body))
        return (
            changed if not isinstance(changed, dict) else replace(response, body=json.dumps(changed).encode())
        )

    return Fault("habit", edit=edit)


def each_metric(change: Callable[[Json], list[Json]], name: str = "nOffered") -> Fault:
    """A habit that replaces each entry of a metric by others."""

    def apply(_: Json, body: Json) -> Json:
        for result in body.get("results") or ():
            for bucket in result["data"]:
                entries = [(change(each) if each["metric"] == name else [each]) for each in bucket["metrics"]]
                bucket["metrics"] = [each for several in entries for each in several]
        return body

    return habit(apply)


def each_group(**more: object) -> Fault:
    """A habit that adds dimensions to each group."""

    def apply(_: Json, body: Json) -> Json:
        for result in body.get("results") or ():
            result["group"].update(more)
        return body

    return habit(apply)


def with_stats(**more: object) -> Fault:
    return each_metric(lambda each: [{**each, "stats": {**each["stats"], **more}}])


def twice(entry: Json) -> list[Json]:
    return [entry, {**entry, "stats": {"count": entry["stats"]["count"] + 1}}]


def _split_by_media(payload: Json, body: Json) -> Json:
    """Without `mediaType` in the groups, each comes twice, with other numbers."""
    if "mediaType" not in payload["groupBy"] and "nOffered" in payload["metrics"]:
        other = json.loads(json.dumps(body["results"]))
        for result in other:
            for bucket in result["data"]:
                for metric in bucket["metrics"]:
                    if metric["metric"] == "nOffered":
                        metric["stats"]["count"] += 1
        body["results"] += other
    return body


def _odd_key(text: str) -> Fault:
    """One group more, which a filter excludes."""

    def apply(payload: Json, body: Json) -> Json:
        if "filter" not in payload and body["results"]:
            body["results"].append(
                {"group": {"queueId": text, "mediaType": "chat"}, "data": body["results"][0]["data"]}
            )
        return body

    return habit(apply)


def _unasked_metric(payload: Json, body: Json) -> Json:
    if "nTransferred" not in payload["metrics"]:
        for result in body["results"]:
            for bucket in result["data"]:
                bucket["metrics"].append({"metric": "nTransferred", "stats": {"count": 1}})
    return body


def refused(request: Request, code: int, text: str) -> Response:
    del request
    return ApiError(code, "bad.request", text, {}, {}).response("an-id")


def _small(payload: Json, body: Json) -> Json:
    """More than one group in a bucket of a day is too large."""
    is_day = payload["granularity"] == "P1D"
    if is_day and payload["groupBy"] and "filter" not in payload and len(body["results"]) > 1:
        return ApiError(400, "bad.request", "exceeds the limit of 30000 results", {}, {}).response("an-id")
    return body


def _ranked_small(payload: Json, body: Json) -> Json:
    start, end = (
        datetime.fromisoformat(each.replace("Z", "+00:00")) for each in payload["interval"].split("/")
    )
    if end - start > timedelta(hours=12):
        return ApiError(400, "bad.request", "exceeds the limit of 30000 results", {}, {}).response("an-id")
    return body


def _short(payload: Json, body: Json) -> Json:
    """Intervals of more than six hours are refused."""
    start, end = (
        datetime.fromisoformat(each.replace("Z", "+00:00")) for each in payload["interval"].split("/")
    )
    if end - start > timedelta(hours=6):
        return ApiError(400, "invalid.value", "The interval is too long", {}, {}).response("an-id")
    return body


def _deeper(payload: Json, body: Json) -> Json:
    """A level of media types that nobody asked for."""
    if "mediaType" in payload["groupBy"]:
        return body

    def grow(node: Json) -> None:
        if node.get("groups"):
            for child in node["groups"]:
                grow(child)
        else:
            node["groups"] = [{"id": "voice", "metrics": node["metrics"]}]

    for entity in body["entities"]:
        grow(entity)
    return body


def _median(_: Json, body: Json) -> Json:
    def grow(node: Json) -> None:
        for child in node.get("groups") or ():
            grow(child)
        for statistics in (node.get("metrics") or {}).values():
            statistics["median"] = 2.5

    for entity in body["entities"]:
        grow(entity)
    return body


NEW = "give the query a new name"
DROP = "or drop table calls and remove bookmarks.calls from the state"


def rekeyed(words: str, **changes: object) -> tuple[Way, ...]:
    """Both fixes after a change of the key: a new name, or another table of the same name."""
    return (
        Way(f"{words}.*{NEW}", {**changes, "name": "calls_2"}),
        Way(f"{words}.*{DROP}", changes, forget=True),
    )


LEAVE = Way("Leave 'nOffered' out of", {"metrics": ["tHandle"]})
LATER = Way("Try again later", cured=True)
LOOP = Way("report it to the server's owner", cured=True)
SLOW_JOBS = Fault("failed", edit=lambda _, response: replace(response, body=b'{"state": "FAILED"}'))

CASES: dict[str, Case] = {
    "statistic": Case(
        CALLS,
        r"query 'calls', window \S+: nOffered came with statistic 'median', .* no column\. Set statistics: ",
        (Way(r"Set statistics: (\{.*\}) on this query"),),
        with_stats(median=2.5),
    ),
    "fraction": Case(
        CALLS,
        r"query 'calls', window \S+: column n_offered_count is a count, but the response has 2\.5",
        rekeyed("Set shape: long", shape="long"),
        with_stats(count=2.5),
    ),
    "dimension": Case(
        CALLS,
        r"rows are grouped by 'direction', which was not requested",
        rekeyed("Add 'direction' to group_by", group_by=["queueId", "direction"]),
        each_group(direction="inbound"),
    ),
    "users_media_type": Case(
        AGENTS,
        r"rows are grouped by 'mediaType', which was not requested\. Set group_by: \[userId, mediaType\]",
        rekeyed(r"Set group_by: \[userId, mediaType\] on this query", group_by=["userId", "mediaType"]),
        each_group(mediaType="voice"),
        "/users/aggregates",
    ),
    "users_dimension": Case(
        AGENTS,
        r"rows are grouped by 'divisionId', which was not requested\. Set group_by: \[userId, divisionId\]",
        rekeyed(r"Set group_by: \[userId, divisionId\] on this query", group_by=["userId", "divisionId"]),
        each_group(divisionId="home"),
        "/users/aggregates",
    ),
    "qualifier": Case(
        CALLS,
        r"nOffered has the qualifier 'first', which has no column",
        (LEAVE, *rekeyed("set shape: long on this query", shape="long")),
        each_metric(lambda each: [{**each, "qualifier": "first"}]),
    ),
    "metric_twice": Case(
        CALLS,
        r"'nOffered' appears twice, with different numbers, in the bucket",
        (LEAVE,),
        each_metric(twice),
    ),
    "key_twice": Case(
        CALLS,
        r"query 'calls', window \S+: two rows came with the same key and different numbers for 'nOffered'",
        (
            LEAVE,
            *rekeyed(
                "add the dimension that distinguishes them to group_by", group_by=["queueId", "mediaType"]
            ),
        ),
        habit(_split_by_media),
    ),
    "metric": Case(
        CALLS,
        r"the response contains metric 'nTransferred', which was not asked for",
        (Way("Add 'nTransferred' to metrics", {"metrics": ["nOffered", "tHandle", "nTransferred"]}),),
        habit(_unasked_metric),
    ),
    "key_with_nul": Case(
        CALLS,
        r"queue_id 'a.+b' contains NUL, and a warehouse cannot store that in a key",
        (Way("Exclude that group with a filter on this query, and set on_query_change: continue", KEEP),),
        _odd_key("a\x00b"),
    ),
    "key_too_long": Case(
        CALLS,
        r"queue_id 'x+' has 3,000 characters, and a warehouse cannot store that in a key",
        (Way("Exclude that group with a filter on this query, and set on_query_change: continue", KEEP),),
        _odd_key("x" * 3_000),
    ),
    "bucket_too_large": Case(
        {**CALLS, "granularity": "P1D"},
        r"a single bucket of P1D is larger than the server returns at once",
        (
            Way(
                "Set a shorter granularity .* and give it a new name",
                {"granularity": "PT1H", "name": "calls_2"},
            ),
            Way("fewer group_by dimensions .* give it a new name", {"group_by": [], "name": "calls_2"}),
            Way("or set a filter and on_query_change: continue", KEEP),
        ),
        habit(_small),
    ),
    "ranked_too_large": Case(
        {**CALLS, "query_type": "topN", "sort_metric": {"name": "nOffered", "function": "count"}, "limit": 2},
        r"This window is not split, because its rows are ranked within it",
        (
            Way(
                "Set a window shorter than P1D on this query and give it a new name",
                {"window": "PT12H", "name": "calls_2"},
            ),
        ),
        habit(_ranked_small),
    ),
    "window_refused": Case(
        CALLS,
        r"answered 400 .*If the interval is longer than the server accepts, set a shorter window",
        (
            Way(
                r"set a shorter window \(now P1D\) and max_window",
                settings={"window": "PT6H", "max_window": "PT6H"},
            ),
        ),
        habit(_short),
    ),
    "level": Case(
        TREE,
        r"the tree has a level 3 that group_by does not name",
        rekeyed("Add its dimension to group_by", group_by=["interval", "routing.queue.id", "mediaType"]),
        habit(_deeper),
        api="group_tree",
    ),
    "tree_statistic": Case(
        TREE,
        r"conversationCount came with statistic 'median', which has no column",
        (Way(r"Set statistics: (\{.*\}) on this query"),),
        habit(_median),
        api="group_tree",
    ),
    "tree_total": Case(
        TREE,
        r"the pages have \d+ entities, but report 9999, 3 times in a row",
        (Way("if it keeps happening, report it to the server's owner", cured=True),),
        habit(lambda _, body: {**body, "total": 9999}),
        api="group_tree",
    ),
    "tree_loop": Case(
        {**TREE, "page_size": 1},
        r"already followed",
        (LOOP,),
        same_page(),
        api="group_tree",
    ),
    "no_users": Case(
        AGENTS,
        r"needs the ids of all users, and the list of users is empty",
        (
            Way(
                "Check that the OAuth client has a role with directory:user:view in all divisions", cured=True
            ),
            Way(
                "set a filter on userId and on_query_change: continue on this query",
                {
                    "filter": {"type": "and", "predicates": [{"dimension": "userId", "value": "USER"}]},
                    "on_query_change": "continue",
                },
            ),
        ),
        Fault("nobody", instead=lambda _: json_response({"entities": [], "total": 0, "pageCount": 0})),
        "/api/v2/users",
    ),
    "list_of_users_changes": Case(
        AGENTS,
        r"the list reports \d+ more entries than it returned, 3 times in a row",
        (Way("in all divisions; the client may not be allowed to see them", cured=True),),
        habit(lambda _, body: {**body, "total": 9999}),
        "/api/v2/users",
    ),
    "jobs_fail": Case(
        JOBS,
        r"3 jobs returned no results; the last job \S+ ended as FAILED",
        (LATER, Way("or mode: sync", {"mode": "sync"})),
        SLOW_JOBS,
        f"GET /api/v2/analytics{CONVERSATIONS}s/jobs/",
    ),
    "no_jobs": Case(
        JOBS,
        r"answered 404 .*This host may not support jobs",
        (Way("remove mode: async", {"mode": None}),),
        status(404),
        "/jobs",
    ),
    "not_sortable": Case(
        {
            **CALLS,
            "metrics": ["nOffered", "oServiceLevel"],
            "query_type": "topN",
            "sort_metric": {"name": "oServiceLevel", "function": "ratio"},
            "limit": 5,
        },
        r"sort_metric cannot be oServiceLevel, by which the API does not sort",
        (
            Way(
                "use a metric of this query that can: nOffered",
                {"sort_metric": {"name": "nOffered", "function": "count"}},
            ),
        ),
        worked=False,
        stops_all=True,
    ),
    "error_in_200": Case(
        CALLS,
        r"the response is an error instead of results: 503: Upstream unavailable",
        (LATER,),
        error_in_200(),
    ),
    "not_json": Case(
        CALLS,
        r"does not match the results API",
        (Way("Check base_url and try again later", cured=True),),
        html(),
    ),
    "forbidden": Case(
        CALLS,
        r"answered 403 .*missing\.permissions",
        (Way("Give the OAuth client a role with the missing permission", cured=True),),
        status(403),
    ),
    "not_found": Case(
        {**CALLS, "path": "/api/v2/analytics/conversation/aggregates/query"},
        r"answered 404 ",
        (
            Way(
                "Check region, base_url and the query's endpoint or path",
                {"path": "/api/v2/analytics/conversations/aggregates/query"},
            ),
        ),
        worked=False,
    ),
}
ELSEWHERE = {
    "changed_query": "tests/pipeline/test_changed_queries.py",
    "changed_key": "tests/pipeline/test_changed_queries.py",
    "stale_catalog": "tests/pipeline/test_changed_queries.py",
}
"""Rows of the page whose fixes are tested in another file, by what the message begins with."""
WAYS = [(name, way) for name, case in CASES.items() for way in case.ways]


class Tables:
    """The tables of a case, and its state, from run to run."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.warehouse = Warehouse()

    def load(self, query: dict[str, Any], now: datetime, faults: Plan | None, **settings: Any) -> Outcome:
        """Run the tap, and load what it wrote."""
        others = OTHERS if self.case.api == "results" else TREE_OTHERS
        CLOCK.set(now)
        SANDBOX.faults = faults
        found = {
            "api": self.case.api,
            "start_date": START.isoformat(),
            "lookback_days": 1,
            "window": "P1D",
            **self.case.settings,
        }
        wanted = {"granularity": "PT1H", **query}
        listed = [{name: value for name, value in wanted.items() if value is not None}, others]
        outcome = run(
            SANDBOX,
            config(**{**found, **settings}, queries=listed),
            state=self.warehouse.state,
            time=ManualClock(now),
        )
        self.warehouse.load(outcome.messages)
        return outcome

    def forget(self) -> None:
        """Drop the table, and remove its bookmark from the state."""
        self.warehouse.tables.pop("calls", None)
        self.warehouse.state["bookmarks"].pop("calls")

    def bookmark(self) -> Any:
        """The instant before which everything was loaded, if there is one."""
        return self.warehouse.state.get("bookmarks", {}).get("calls", {}).get("replication_key_value")


def habits(case: Case) -> Plan | None:
    """The habit of a case, in every request that matches."""
    fault = case.habit
    if fault is None:
        return None
    return lambda _, request: fault if case.match in f"{request.method} {request.target}" else None


def refusal(case: Case) -> tuple[Tables, str]:
    """Load the table while all is well, then be refused; returns what there is, and the message."""
    tables = Tables(case)
    if case.worked:
        assert tables.load(case.query, BEFORE, None).error is None
        assert tables.warehouse.rows("calls")
    before, rows = tables.bookmark(), len(tables.warehouse.rows("calls"))
    outcome = tables.load(case.query, NOW, habits(case))
    assert isinstance(outcome.error, TapError | ConfigValidationError)
    assert tables.bookmark() == before
    assert len(tables.warehouse.rows("calls")) == rows
    assert not [each for each in outcome.rows("extractions") if each["query"] == "calls"]
    if not case.stops_all:
        assert outcome.rows("others")
    return tables, str(outcome.error)


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_commits_nothing_and_the_other_queries_load(name: str) -> None:
    _, line = refusal(CASES[name])
    assert re.search(CASES[name].says, line), line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "way"), WAYS, ids=[f"{name}-{number}" for number, (name, _) in enumerate(WAYS)]
)
def test_each_fix_works(name: str, way: Way) -> None:
    """The message's own words are followed, with the state and the table that exist."""
    case = CASES[name]
    tables, line = refusal(case)
    words = re.search(way.words, line)
    assert words, line
    quoted = words.groups()  # what to set, to be copied from the message
    changes = {**way.changes, **({"statistics": _quoted(quoted[0])} if quoted else {})}
    changes = json.loads(json.dumps(changes).replace("USER", _user(tables)))
    if way.forget:
        tables.forget()
    settings = {"max_window": "P1D", **way.settings}
    query = {**case.query, **changes}
    for _ in range(2):  # and it goes on working
        outcome = tables.load(query, NOW, None if way.cured else habits(case), **settings)
        assert outcome.error is None, outcome.error
    starts = [row["interval_start"][:10] for row in tables.warehouse.rows(query["name"])]
    assert "2026-03-05" in starts
    if way.forget or query["name"] != "calls" or not case.worked:
        assert "2026-03-02" in starts
    assert case.worked is False or way.forget or tables.warehouse.rows("calls")


def _quoted(text: str) -> Json:
    return json.loads(text.replace("'", '"'))


def _user(tables: Tables) -> str:
    return next((row["user_id"] for row in tables.warehouse.rows("calls") if "user_id" in row), "")


def test_a_statistic_without_a_column_is_no_refusal_in_long_rows() -> None:
    tables = Tables(replace(CASES["statistic"], query=LONG))
    assert tables.load(LONG, NOW, habits(CASES["statistic"])).error is None
    rows = [row for row in tables.warehouse.rows("calls") if row["metric"] == "nOffered"]
    assert rows
    assert {row["other_statistics"] for row in rows} == {'{"median":2.5}'}


ROWS = re.findall(r"^\| `([^`]+)`.* \| `(\w+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def test_the_page_of_refusals_has_a_row_for_each_case() -> None:
    assert sorted(case for _, case in ROWS) == sorted((*CASES, *ELSEWHERE))


@pytest.mark.parametrize(("message", "name"), [each for each in ROWS if each[1] in CASES])
def test_the_page_quotes_what_the_tap_says(message: str, name: str) -> None:
    """Parts of the message between ellipses come in it, in this order."""
    _, line = refusal(CASES[name])
    parts = [re.escape(part.strip()) for part in message.split("…")]
    assert re.search(".*".join(parts), line), line


@pytest.mark.parametrize(("message", "name"), [each for each in ROWS if each[1] in ELSEWHERE])
def test_what_the_page_quotes_is_tested_in_the_file_that_is_named(message: str, name: str) -> None:
    tested = (PAGE.parents[1] / ELSEWHERE[name]).read_text("utf-8")
    assert max(message.split("…"), key=len).strip() in tested
