"""The documented API: buckets, groups, filters, views, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from genesys_sandbox import Options, Sandbox, SandboxClient
from genesys_sandbox.contract import families
from genesys_sandbox.query_parts import cut, parse_granularity
from genesys_sandbox.timestamps import from_text, to_ms, to_text

PATH = families()["conversations"].path
JUNE_3 = "2025-06-03T00:00:00.000Z/2025-06-04T00:00:00.000Z"
ADDITIVE = ("count", "sum", "numerator", "denominator")

Json = dict[str, Any]


def caller_of(**options: Any) -> SandboxClient:
    """Somebody with a token for a sandbox of these options."""
    noon = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
    return SandboxClient(Sandbox(Options(**options), now=lambda: noon))


def totals(answer: Json) -> dict[tuple[str, ...], float]:
    """The additive statistics of each group and metric over all buckets."""
    found: dict[tuple[str, ...], float] = {}
    for result in answer["results"]:
        for bucket in result["data"]:
            for entry in bucket["metrics"]:
                for statistic in ADDITIVE:
                    key = (*sorted(result["group"].values()), entry["metric"], statistic)
                    found[key] = found.get(key, 0) + entry["stats"].get(statistic, 0)
    return found


def intervals(answer: Json) -> list[str]:
    """Every interval that has data, once, in order."""
    return sorted({bucket["interval"] for result in answer["results"] for bucket in result["data"]})


@pytest.mark.parametrize("granularity", ["PT30M", "PT1H", "PT7H", "P1D"])
def test_buckets_add_up_to_the_whole(caller: SandboxClient, granularity: str) -> None:
    """Additive statistics of the buckets add up to those of the undivided interval."""
    query: Json = {
        "interval": JUNE_3,
        "groupBy": ["queueId", "mediaType"],
        "metrics": ["nOffered", "tHandle", "oServiceLevel", "tAbandon"],
    }
    whole = caller.results("conversations", query)
    assert totals(caller.results("conversations", {**query, "granularity": granularity})) == totals(whole)
    assert intervals(whole) == [JUNE_3]


@pytest.mark.parametrize("family", sorted(families()))
def test_every_family_answers(caller: SandboxClient, family: str) -> None:
    """All metrics of every family happen within five days, by any of its dimensions, with its statistics."""
    known = families()[family]
    query = {
        "interval": "2025-06-02T00:00:00.000Z/2025-06-07T00:00:00.000Z",
        "groupBy": sorted(known.group_by)[:1],
        "metrics": list(known.metrics),
    }
    answer = caller.results(family, query)
    entries = [
        entry for result in answer["results"] for bucket in result["data"] for entry in bucket["metrics"]
    ]
    assert {entry["metric"] for entry in entries} == set(known.metrics)
    for entry in entries:
        stats = set(entry["stats"])
        ratio = {"ratio", "numerator", "denominator", "target"}
        assert stats in ({"count"}, {"max", "min", "count", "sum"}, ratio)
        assert (stats == {"count"}) == (entry["metric"][0] == "n")


def test_buckets_are_cut_from_the_start(caller: SandboxClient) -> None:
    """A start at 13:00 with PT12H makes buckets from 13:00 and 01:00; the last is cut at the end."""
    found = caller.results(
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
def test_days_begin_at_local_midnight(start: str, end: str, granularity: str, expected: str) -> None:
    """Days, weeks and months follow the wall clock of the zone through daylight saving; hours do not."""
    first, last = (to_ms(from_text(text)) for text in (start, end))
    boundaries = cut(first, last, parse_granularity(granularity), ZoneInfo("Europe/London"))
    assert " ".join(to_text(boundary)[8:16] for boundary in boundaries) == expected


def test_an_interval_may_have_any_offset(caller: SandboxClient) -> None:
    """The same instants with another offset are the same query."""
    query = {"metrics": ["nOffered"], "groupBy": ["queueId"], "granularity": "PT1H"}
    utc = caller.results("conversations", {**query, "interval": JUNE_3})
    shifted = "2025-06-02T19:30:00-04:30/2025-06-04T05:45:00.000+05:45"
    assert caller.results("conversations", {**query, "interval": shifted}) == utc


def test_answers_may_carry_the_offset_of_the_zone() -> None:
    """With the option, intervals are told in the offset of the asked zone."""
    query = {
        "interval": JUNE_3,
        "granularity": "P1D",
        "timeZone": "Europe/Istanbul",
        "metrics": ["nOffered"],
    }
    found = intervals(caller_of(local_offsets=True).results("conversations", query))
    assert found == ["2025-06-03T03:00:00.000+03:00/2025-06-04T03:00:00.000+03:00"]


def test_an_unset_dimension_is_absent(caller: SandboxClient) -> None:
    """Abandoned conversations have no agent, so their group lacks `userId`; handled ones have it."""
    query = {"interval": JUNE_3, "groupBy": ["userId"], "metrics": ["tAbandon", "tHandle"]}
    groups = {
        (entry["metric"], "userId" in result["group"])
        for result in caller.results("conversations", query)["results"]
        for entry in result["data"][0]["metrics"]
    }
    assert groups == {("tAbandon", False), ("tHandle", True)}


def test_media_type_comes_unasked() -> None:
    """With the option, conversation groups carry `mediaType` though nobody asked."""
    query = {"interval": JUNE_3, "groupBy": ["queueId"], "metrics": ["nOffered"]}
    for unasked, keys in ((True, {"queueId", "mediaType"}), (False, {"queueId"})):
        answer = caller_of(unasked_media_type=unasked).results("conversations", query)
        assert {frozenset(result["group"]) for result in answer["results"]} == {frozenset(keys)}


@pytest.mark.parametrize(("empty", "expected"), [("list", [[]]), ("null", [None]), ("absent", [])])
def test_nothing_can_look_like_this(empty: str, expected: list[object]) -> None:
    """A period without facts has an empty list, null, or no results at all."""
    query = {"interval": "2025-12-25T04:00Z/2025-12-25T20:00Z", "metrics": ["nOffered"]}
    assert list(caller_of(empty=empty).results("conversations", query).values()) == expected


def test_nothing_later_than_now_is_told(noon: datetime) -> None:
    """The bucket that is being filled holds what happened so far, and later ones nothing."""
    query = {"interval": "2025-06-30T00:00Z/2025-07-02T00:00Z", "granularity": "P1D", "metrics": ["nOffered"]}
    counts = []
    for hours in (0, 3, 48):
        sandbox = Sandbox(now=lambda hours=hours: noon + timedelta(hours=hours))  # type: ignore[misc]
        (result,) = SandboxClient(sandbox).results("conversations", query)["results"]
        counts.append([bucket["metrics"][0]["stats"]["count"] for bucket in result["data"]])
    assert [len(row) for row in counts] == [1, 1, 2]
    assert 0 < counts[0][0] < counts[1][0] < counts[2][0]


def test_users_come_once_per_status(caller: SandboxClient) -> None:
    """Each metric of users comes once per qualifier, and presences map to definitions that exist."""
    query = {"interval": JUNE_3, "groupBy": ["userId"], "metrics": list(families()["users"].metrics)}
    answer = caller.results("users", query)
    entries = answer["results"][0]["data"][0]["metrics"]
    assert len({(entry["metric"], entry["qualifier"]) for entry in entries}) == len(entries) > 6
    mapped = [name for several in answer["systemToOrganizationMappings"].values() for name in several]
    told = {entry["qualifier"] for entry in entries if entry["metric"] == "tOrganizationPresence"}
    assert told <= set(mapped)


def test_top_n_is_the_head_of_the_ranking(caller: SandboxClient) -> None:
    """The two queues with the most handling are those that a full answer ranks first."""
    query: Json = {"interval": JUNE_3, "groupBy": ["queueId"], "metrics": ["tHandle"]}
    ranked = sorted(
        caller.results("conversations", query)["results"],
        key=lambda result: -result["data"][0]["metrics"][0]["stats"]["sum"],
    )
    asked = {**query, "sortMetric": {"name": "tHandle", "function": "sum"}, "limit": 2}
    assert caller.results("conversations", {**asked, "queryType": "topN"})["results"] == ranked[:2]
    assert caller.results("conversations", {**asked, "queryType": "bottomN"})["results"] == ranked[:-3:-1]
