"""The results endpoint: buckets, groups, filters, views, errors, and the sample week."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SandboxClient, SettableClock
from genesys_sandbox.contract import families
from genesys_sandbox.query_parts import cut, parse_granularity
from genesys_sandbox.timestamps import from_text, to_ms, to_text

PATH = str(families()["conversations"].path)
JUNE_3 = "2025-06-03T00:00:00.000Z/2025-06-04T00:00:00.000Z"
ADDITIVE = ("count", "sum", "numerator", "denominator")

Json = dict[str, Any]


def client_of(**options: Any) -> SandboxClient:
    """A client with a token for a sandbox with these options."""
    noon = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
    return SandboxClient(Sandbox(Options(**options), now=lambda: noon))


def totals(response: Json) -> dict[tuple[str, ...], float]:
    """The additive statistics of each group and metric over all buckets."""
    found: dict[tuple[str, ...], float] = {}
    for result in response["results"]:
        for bucket in result["data"]:
            for entry in bucket["metrics"]:
                for statistic in ADDITIVE:
                    key = (*sorted(result["group"].values()), entry["metric"], statistic)
                    found[key] = found.get(key, 0) + entry["stats"].get(statistic, 0)
    return found


def intervals(response: Json) -> list[str]:
    """Every interval that has data, once, in order."""
    return sorted({bucket["interval"] for result in response["results"] for bucket in result["data"]})


@pytest.mark.parametrize("granularity", ["PT30M", "PT1H", "PT7H", "P1D"])
def test_buckets_add_up_to_the_whole_interval(client: SandboxClient, granularity: str) -> None:
    """Additive statistics of the buckets add up to those of the undivided interval."""
    query: Json = {
        "interval": JUNE_3,
        "groupBy": ["queueId", "mediaType"],
        "metrics": ["nOffered", "tHandle", "oServiceLevel", "tAbandon"],
    }
    whole = client.results("conversations", query)
    assert totals(client.results("conversations", {**query, "granularity": granularity})) == totals(whole)
    assert intervals(whole) == [JUNE_3]


@pytest.mark.parametrize("family", sorted(families()))
def test_every_metric_of_every_family_has_values(client: SandboxClient, family: str) -> None:
    """Within five days every metric occurs, by any dimension, with the statistics of its kind."""
    known = families()[family]
    query = {
        "interval": "2025-06-02T00:00:00.000Z/2025-06-07T00:00:00.000Z",
        "groupBy": sorted(known.group_by)[:1],
        "metrics": list(known.metrics),
    }
    response = client.results(family, query)
    entries = [
        entry for result in response["results"] for bucket in result["data"] for entry in bucket["metrics"]
    ]
    assert {entry["metric"] for entry in entries} == set(known.metrics)
    for entry in entries:
        stats = set(entry["stats"])
        ratio = {"ratio", "numerator", "denominator", "target"}
        assert stats in ({"count"}, {"max", "min", "count", "sum"}, ratio)
        assert (stats == {"count"}) == (entry["metric"][0] == "n")


def test_buckets_are_counted_from_the_start(client: SandboxClient) -> None:
    """With PT12H and a start at 13:00, buckets start at 13:00 and 01:00; the last one is shorter."""
    found = client.results(
        "conversations",
        {
            "interval": "2025-06-03T13:00Z/2025-06-04T10:30Z",
            "granularity": "PT12H",
            "metrics": ["nConversations"],
        },
    )
    assert intervals(found) == [
        "2025-06-03T13:00:00.000Z/2025-06-04T01:00:00.000Z",
        "2025-06-04T01:00:00.000Z/2025-06-04T10:30:00.000Z",
    ]


@pytest.mark.parametrize(
    ("start", "end", "granularity", "expected"),
    [
        ("2025-03-29T00:00Z", "2025-04-01T00:00+01:00", "P1D", "29T00:00 30T00:00 30T23:00 31T23:00"),
        ("2025-10-25T00:00+01:00", "2025-10-28T00:00Z", "P1D", "24T23:00 25T23:00 27T00:00 28T00:00"),
        ("2025-01-31T00:00Z", "2025-04-30T00:00+01:00", "P1M", "31T00:00 28T00:00 30T23:00 29T23:00"),
        ("2025-03-24T00:00Z", "2025-04-07T00:00+01:00", "P1W", "24T00:00 30T23:00 06T23:00"),
        ("2025-03-29T18:00Z", "2025-03-31T00:00Z", "P1D", "29T18:00 30T17:00 31T00:00"),
        (
            "2025-03-30T00:00Z",
            "2025-03-31T00:00+01:00",
            "PT6H",
            "30T00:00 30T06:00 30T12:00 30T18:00 30T23:00",
        ),
    ],
)
def test_days_weeks_and_months_follow_local_time(
    start: str, end: str, granularity: str, expected: str
) -> None:
    """Days, weeks and months follow local time across daylight saving changes; hours do not."""
    first, last = (to_ms(from_text(text)) for text in (start, end))
    boundaries = cut(first, last, parse_granularity(granularity), ZoneInfo("Europe/London"))
    assert " ".join(to_text(boundary)[8:16] for boundary in boundaries) == expected


def test_an_interval_may_have_any_offset(client: SandboxClient) -> None:
    """The same times with another offset are the same query."""
    query = {"metrics": ["nOffered"], "groupBy": ["queueId"], "granularity": "PT1H"}
    utc = client.results("conversations", {**query, "interval": JUNE_3})
    shifted = "2025-06-02T19:30:00-04:30/2025-06-04T05:45:00.000+05:45"
    assert client.results("conversations", {**query, "interval": shifted}) == utc


def test_intervals_may_carry_the_offset_of_the_zone() -> None:
    """With the option, intervals carry the offset of the requested zone."""
    query = {
        "interval": JUNE_3,
        "granularity": "P1D",
        "timeZone": "Europe/Istanbul",
        "metrics": ["nOffered"],
    }
    found = intervals(client_of(local_offsets=True).results("conversations", query))
    assert found == ["2025-06-03T03:00:00.000+03:00/2025-06-04T03:00:00.000+03:00"]


def test_an_unset_dimension_is_absent(client: SandboxClient) -> None:
    """Abandoned conversations have no agent, so their group lacks `userId`; handled ones have it."""
    query = {"interval": JUNE_3, "groupBy": ["userId"], "metrics": ["tAbandon", "tHandle"]}
    groups = {
        (entry["metric"], "userId" in result["group"])
        for result in client.results("conversations", query)["results"]
        for entry in result["data"][0]["metrics"]
    }
    assert groups == {("tAbandon", False), ("tHandle", True)}


def test_media_type_may_come_unrequested() -> None:
    """With the option, conversation groups carry `mediaType` although it was not requested."""
    query = {"interval": JUNE_3, "groupBy": ["queueId"], "metrics": ["nOffered"]}
    for unrequested, keys in ((True, {"queueId", "mediaType"}), (False, {"queueId"})):
        response = client_of(unrequested_media_type=unrequested).results("conversations", query)
        assert {frozenset(result["group"]) for result in response["results"]} == {frozenset(keys)}


@pytest.mark.parametrize(("empty", "expected"), [("list", [[]]), ("null", [None]), ("absent", [])])
def test_an_empty_result_has_three_forms(empty: str, expected: list[object]) -> None:
    """A period without data returns an empty list, null, or no `results` at all."""
    query = {"interval": "2025-12-25T04:00Z/2025-12-25T20:00Z", "metrics": ["nOffered"]}
    assert list(client_of(empty=empty).results("conversations", query).values()) == expected


def test_the_future_has_no_data(noon: datetime) -> None:
    """The current bucket holds what happened so far, and later ones nothing."""
    query = {"interval": "2025-06-30T00:00Z/2025-07-02T00:00Z", "granularity": "P1D", "metrics": ["nOffered"]}
    counts = []
    for hours in (0, 3, 48):
        sandbox = Sandbox(now=lambda hours=hours: noon + timedelta(hours=hours))  # type: ignore[misc]
        (result,) = SandboxClient(sandbox).results("conversations", query)["results"]
        counts.append([bucket["metrics"][0]["stats"]["count"] for bucket in result["data"]])
    assert [len(row) for row in counts] == [1, 1, 2]
    assert 0 < counts[0][0] < counts[1][0] < counts[2][0]


def test_users_metrics_come_once_per_status(client: SandboxClient) -> None:
    """Each metric of users comes once per qualifier, and presences map to existing definitions."""
    query = {"interval": JUNE_3, "groupBy": ["userId"], "metrics": list(families()["users"].metrics)}
    response = client.results("users", query)
    entries = response["results"][0]["data"][0]["metrics"]
    assert len({(entry["metric"], entry["qualifier"]) for entry in entries}) == len(entries) > 6
    mapped = [name for several in response["systemToOrganizationMappings"].values() for name in several]
    qualifiers = {entry["qualifier"] for entry in entries if entry["metric"] == "tOrganizationPresence"}
    assert qualifiers <= set(mapped)


def test_top_n_returns_the_first_groups_of_the_ranking(client: SandboxClient) -> None:
    """The two queues with the highest handle time are those that a full response ranks first."""
    query: Json = {"interval": JUNE_3, "groupBy": ["queueId"], "metrics": ["tHandle"]}
    ranked = sorted(
        client.results("conversations", query)["results"],
        key=lambda result: -result["data"][0]["metrics"][0]["stats"]["sum"],
    )
    sample_metrics = {**query, "sortMetric": {"name": "tHandle", "function": "sum"}, "limit": 2}
    assert client.results("conversations", {**sample_metrics, "queryType": "topN"})["results"] == ranked[:2]
    assert (
        client.results("conversations", {**sample_metrics, "queryType": "bottomN"})["results"]
        == ranked[:-3:-1]
    )


def error_of(client: SandboxClient, body: Json, family: str = "conversations") -> Json:
    """The error response to a query."""
    response = client.request("POST", str(families()[family].path), body)
    error: Json = json.loads(response.body)
    assert response.status == error["status"] >= 400
    return error


def test_users_filters_that_undercount_are_rejected(client: SandboxClient) -> None:
    """At most 100 user predicates, no flat `or`, and no dimension other than the user."""
    query: Json = {"interval": JUNE_3, "metrics": ["tSystemPresence"], "groupBy": ["userId"]}
    ids = [user["id"] for user in client.request_json("GET", "/api/v2/users?pageSize=3")["entities"]]
    predicates = [{"dimension": "userId", "value": name} for name in ids]
    wrapped: Json = {"type": "and", "clauses": [{"type": "or", "predicates": predicates}]}
    response = client.results("users", {**query, "filter": wrapped})
    assert {result["group"]["userId"] for result in response["results"]} <= set(ids)
    error_of(client, {**query, "filter": wrapped["clauses"][0]}, "users")
    wrapped["clauses"][0]["predicates"] = predicates[:1] * 101
    assert error_of(client, {**query, "filter": wrapped}, "users")["messageParams"] == {"maximum": "100"}
    error_of(client, {**query, "groupBy": ["queueId"]}, "users")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"metrics": ["nNothing"]}, "bad.request"),
        ({"metrics": []}, "bad.request"),
        ({"metrics": "nOffered"}, "bad.request"),
        ({"groupBy": ["colour"]}, "bad.request"),
        ({"groupBy": ["canonicalExternalContactId"]}, "bad.request"),
        ({"interval": "2025-06-03T00:00:00/2025-06-04T00:00:00"}, "invalid.date"),
        ({"interval": "2025-06-04T00:00Z/2025-06-04T00:00Z"}, "invalid.date"),
        ({"interval": "2025-06-31T00:00Z/2025-07-04T00:00Z"}, "invalid.date"),
        ({"granularity": "1 hour"}, "invalid.value"),
        ({"granularity": "PT0H"}, "invalid.value"),
        ({"timeZone": "Europe/Atlantis"}, "invalid.value"),
        ({"filter": {"type": "and", "predicates": [{"dimension": "colour", "value": "x"}]}}, "bad.request"),
        ({"filter": {"type": "xor", "predicates": []}}, "invalid.value"),
        ({"alternateTimeDimension": "wrapUpDate"}, "bad.request"),
        ({"queryType": "topN"}, "bad.request"),
        (
            {"views": [{"target": "nOffered", "name": "few", "function": "rangeBound", "range": {}}]},
            "bad.request",
        ),
        (
            {"views": [{"target": "tAcw", "name": "tWait", "function": "rangeBound", "range": {}}]},
            "bad.request",
        ),
        (
            {"views": [{"target": "tAcw", "name": "v", "function": "rangeBound", "range": {}}] * 11},
            "invalid.value",
        ),
    ],
)
def test_invalid_queries_are_rejected(client: SandboxClient, wrong: Json, code: str) -> None:
    """A malformed query gets 400 in the platform's format, with a correlation ID in body and header."""
    body = {"interval": JUNE_3, "metrics": ["nOffered"], **wrong}
    response = client.request("POST", PATH, body)
    error = json.loads(response.body)
    assert (response.status, error["status"], error["code"]) == (400, 400, code)
    assert response.headers["ININ-Correlation-Id"] == error["contextId"]
    assert error["messageWithParams"].format(**error["messageParams"]) == error["message"]
    assert (error["details"], error["errors"]) == ([], [])


@pytest.mark.parametrize("status", [400, 413])
def test_too_many_rows_are_rejected(status: int) -> None:
    """Above the limit of rows, the message is the one that connectors look for."""
    client = client_of(max_results=20, too_large_status=status)
    query = {"interval": JUNE_3, "groupBy": ["queueId"], "metrics": ["nOffered", "tHandle"]}
    assert len(client.results("conversations", query)["results"]) == 6
    error = error_of(client, {**query, "granularity": "PT30M"})
    assert error["status"] == status
    assert "limit of 30000 results" in error["message"]


def test_long_intervals_time_out_or_are_rejected() -> None:
    """Intervals up to a length work; longer ones get 504, even longer ones 400."""
    client = client_of(slow_over=timedelta(days=2), longest=timedelta(days=4))
    query: Json = {"metrics": ["nOffered"]}
    client.results("conversations", {**query, "interval": "2025-06-03T00:00Z/2025-06-05T00:00Z"})
    slow = error_of(client, {**query, "interval": "2025-06-03T00:00Z/2025-06-05T00:01Z"})
    assert (slow["status"], slow["code"]) == (504, "request.timeout")
    long = error_of(client, {**query, "interval": "2025-06-03T00:00Z/2025-06-08T00:00Z"})
    assert long["status"] == 400


WEEK = "2025-01-25T21:00:00.000Z/2025-02-01T21:00:00.000Z"
START = datetime(2025, 1, 25, 21, tzinfo=timezone.utc)
END = datetime(2025, 2, 1, 21, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def sample() -> list[Json]:
    """The recorded results, six queues."""
    source = resources.files("genesys_sandbox") / "data" / "results-voice-week.json"
    results: list[Json] = json.loads(source.read_text())["results"]
    return results


def sample_metrics(sample: list[Json]) -> list[str]:
    """Every metric in the sample."""
    return sorted({entry["metric"] for result in sample for entry in result["data"][0]["metrics"]})


def comparable(results: list[Json]) -> list[tuple[Any, ...]]:
    """Results without the order of their metrics."""
    return [
        (
            result["group"],
            bucket["interval"],
            {entry["metric"]: entry["stats"] for entry in bucket["metrics"]},
        )
        for result in results
        for bucket in result["data"]
    ]


@pytest.mark.parametrize("granularity", [None, "P1W", "P7D", "PT168H", "P1M"])
@pytest.mark.parametrize("group_by", [["queueId"], ["mediaType", "queueId"]])
def test_the_sample_week_is_replayed(
    client: SandboxClient, sample: list[Json], granularity: str | None, group_by: list[str]
) -> None:
    """In one bucket, the week is the recorded sample, including `mediaType` in its groups."""
    query: Json = {"interval": WEEK, "groupBy": group_by, "metrics": sample_metrics(sample)}
    if granularity:
        query["granularity"] = granularity
    assert comparable(client.results("conversations", query)["results"]) == comparable(sample)


def test_the_sample_week_in_another_offset_is_the_same(client: SandboxClient, sample: list[Json]) -> None:
    """Intervals are compared as points in time."""
    interval = "2025-01-26T00:00:00+03:00/2025-02-02T00:00:00+03:00"
    query = {
        "interval": interval,
        "groupBy": ["queueId"],
        "metrics": sample_metrics(sample),
        "granularity": "P1W",
    }
    query["timeZone"] = "Europe/Istanbul"
    assert comparable(client.results("conversations", query)["results"]) == comparable(sample)


def test_metrics_and_filter_narrow_the_sample_week(client: SandboxClient, sample: list[Json]) -> None:
    """Only requested metrics and matching queues are returned; without groups everything is added up."""
    queue = sample[1]["group"]["queueId"]
    clause = {"type": "and", "predicates": [{"dimension": "queueId", "value": queue}]}
    query: Json = {"interval": WEEK, "metrics": ["oServiceLevel"], "groupBy": ["queueId"], "filter": clause}
    (result,) = client.results("conversations", query)["results"]
    numbers = {"ratio": 0.47586206896551725, "numerator": 414, "denominator": 870, "target": 0.8}
    assert result["data"][0]["metrics"] == [{"metric": "oServiceLevel", "stats": numbers}]
    (whole,) = client.results("conversations", {"interval": WEEK, "metrics": ["nOffered"]})["results"]
    assert whole["data"][0]["metrics"][0]["stats"]["count"] == 877 + 47 + 205 + 31


def test_finer_or_shifted_queries_are_generated(client: SandboxClient, sample: list[Json]) -> None:
    """Days of the week, or a week that starts an hour later, are generated instead."""
    query: Json = {"interval": WEEK, "groupBy": ["queueId"], "metrics": ["nOffered"]}
    by_day = client.results("conversations", {**query, "granularity": "P1D"})["results"]
    assert len(by_day[0]["data"]) > 1
    later = "2025-01-25T22:00:00.000Z/2025-02-01T22:00:00.000Z"
    assert comparable(client.results("conversations", {**query, "interval": later})["results"]) != comparable(
        sample
    )


def test_the_sample_week_is_unknown_before_it_ends(sample: list[Json]) -> None:
    """On its Wednesday the sample has not happened yet, and without replay it is never served."""
    query: Json = {"interval": WEEK, "groupBy": ["queueId"], "metrics": sample_metrics(sample)}
    early = Sandbox(now=SettableClock(datetime(2025, 1, 29, tzinfo=timezone.utc)))
    for sandbox in (early, Sandbox(Options(replay=False), now=SettableClock(END))):
        found = SandboxClient(sandbox).results("conversations", query)["results"]
        assert comparable(found) != comparable(sample)


@pytest.mark.parametrize("group_by", [["queueId"], ["queueId", "mediaType"], []])
def test_the_expected_rows_of_the_sample_week(
    sandbox: Sandbox, sample: list[Json], group_by: list[str]
) -> None:
    """One row per queue with the sample's key and numbers."""
    query: Json = {"group_by": group_by, "metrics": ["nOffered", "tHandle"], "granularity": "P7D"}
    rows = ExpectedRows(sandbox).rows(query, START, END)
    assert {row["media_type"] for row in rows} == {"voice"}
    assert sum(row["n_offered_count"] or 0 for row in rows) == 1160
    if group_by:
        second = next(row for row in rows if row["queue_id"] == sample[1]["group"]["queueId"])
        assert (second["t_handle_max"], second["t_handle_sum"]) == (1040810, 131580101)
        assert second["interval_start"] + "/" + second["interval_end"] == WEEK
