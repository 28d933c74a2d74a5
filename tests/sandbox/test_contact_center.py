"""The contact center's events: reproducible, consistent and realistic, and rewritten until they settle."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SandboxClient, SettableClock
from genesys_sandbox.contact_center import ContactCenter
from genesys_sandbox.contract import families
from genesys_sandbox.results_endpoint import sample_values
from genesys_sandbox.timestamps import DAY, HOUR, from_text, to_ms

if TYPE_CHECKING:
    from genesys_sandbox.events import Event


Totals = dict[str, tuple[float, float]]


def contact_center(seed: int = 7, agents: int = 25, volume: float = 1.0) -> ContactCenter:
    return ContactCenter(seed, agents, volume, "Europe/London")


def hour_of(text: str) -> int:
    """Number of the UTC hour that starts at a time."""
    return to_ms(from_text(text)) // HOUR


def events(of: ContactCenter, family: str, start: str, hours: int) -> list[Event]:
    """All events posted in a number of hours."""
    first = hour_of(start)
    return [
        event
        for hour in range(first, first + hours)
        for several in of.hour(family, hour).values()
        for event in several
    ]


def counts_and_sums(several: list[Event]) -> Totals:
    """For each metric, how often it was posted, and its sum."""
    found: dict[str, tuple[float, float]] = defaultdict(lambda: (0, 0))
    for event in several:
        count, total = found[event.metric]
        found[event.metric] = count + 1, total + event.value
    return found


@pytest.mark.parametrize("family", sorted(families()))
def test_the_same_seed_gives_the_same_events(family: str) -> None:
    """A family's events depend only on the seed, not on the order in which hours are read."""
    one, other = contact_center(), contact_center()
    events(other, family, "2025-03-03T15:00Z", 1)
    assert events(one, family, "2025-03-03T08:00Z", 8) == events(other, family, "2025-03-03T08:00Z", 8)
    assert events(one, family, "2025-03-03T08:00Z", 8) != events(
        contact_center(seed=8), family, "2025-03-03T08:00Z", 8
    )


def test_dimension_values_depend_only_on_the_subject() -> None:
    """Every dimension of the family has a value or is unset, the same in every process."""
    one, other = contact_center(), contact_center()
    subject = events(one, "flows", "2025-03-03T09:00Z", 1)[0].subject
    names = sorted(families()["flows"].group_by)
    values = [one.directory.value(subject, name) for name in names]
    assert values == [other.directory.value(subject, name) for name in reversed(names)][::-1]
    assert None in values
    assert len(set(values)) > 10


def test_each_conversation_has_its_own_id() -> None:
    """Events of one conversation share its ID, and no other conversation has it."""
    of = contact_center()
    found = events(of, "conversations", "2025-03-03T09:00Z", 2)
    ids = {event.subject.source: of.directory.value(event.subject, "conversationId") for event in found}
    assert len(set(ids.values())) == len(ids) > 100


def test_an_event_is_in_the_hour_of_its_timestamp() -> None:
    """Hours partition time: no event is lost between two hours or is in both."""
    of = contact_center()
    first = hour_of("2025-03-03T00:00Z")
    for hour in range(first, first + 24):
        for several in of.hour("conversations", hour).values():
            assert all(event.at // HOUR == hour for event in several)


def test_events_are_posted_within_three_hours_of_their_start() -> None:
    """An hour collects events from the three hours before it, so none is missed."""
    of = contact_center(volume=10)
    for family in ("conversations", "bots", "users"):
        hour = hour_of("2025-03-03T10:00Z")
        assert set(of._started(family, hour)) <= set(range(hour, hour + 4))  # noqa: SLF001


@pytest.mark.parametrize("seed", [7, 8])
def test_offered_conversations_are_answered_abandoned_or_flow_out(seed: int) -> None:
    """From one holiday to another: nOffered = tWait = tAnswered + tAbandon + tFlowOut."""
    found = counts_and_sums(events(contact_center(seed=seed), "conversations", "2024-12-25T12:00Z", 24 * 7))
    assert found["nOffered"][0] > 600
    ended = found["tAnswered"][0] + found["tAbandon"][0] + found["tFlowOut"][0]
    assert found["nOffered"][0] == found["tWait"][0] == found["tAcd"][0] == ended
    assert found["oServiceLevel"][0] == found["nOffered"][0] - found["tFlowOut"][0]
    assert found["oServiceLevel"][1] == found["tAnswered"][0] - found["nOverSla"][0]
    parts = ("tTalkComplete", "tHeldComplete", "tAcw", "tContacting", "tDialing")
    assert found["tHandle"][1] == sum(found[part][1] for part in parts)
    assert found["tTalk"][1] == found["tTalkComplete"][1]
    assert found["tShortAbandon"][0] < found["tAbandon"][0]


def test_the_sample_week_follows_the_same_rules() -> None:
    """The rules come from the real week: they hold there for every queue that has the metrics."""
    by_queue: dict[str, Totals] = defaultdict(dict)
    for value in sample_values():
        cell = value.cell
        by_queue[value.group["queueId"]][value.metric] = cell.number, cell.total
    for found in by_queue.values():

        def number(metric: str, found: Totals = found) -> float:
            return found.get(metric, (0, 0))[0]

        assert number("nOffered") == number("tWait")
        assert number("nOffered") == number("tAnswered") + number("tAbandon") + number("tFlowOut")
        assert number("oServiceLevel") == number("nOffered") - number("tFlowOut")


def test_mornings_and_weekdays_are_busier() -> None:
    """Mornings are busier than nights, Mondays than Sundays, and holidays are empty."""
    of = contact_center()
    monday = len(events(of, "conversations", "2025-03-03T00:00Z", 24))
    assert len(events(of, "conversations", "2025-03-03T09:00Z", 3)) > monday / 4
    assert len(events(of, "conversations", "2025-03-03T01:00Z", 3)) < monday / 50
    assert len(events(of, "conversations", "2025-03-02T00:00Z", 24)) < monday / 5
    for family in ("conversations", "users", "bots"):
        assert not events(of, family, "2025-12-25T04:00Z", 20)


def test_ten_times_the_volume_gives_about_ten_times_the_events() -> None:
    ratio = len(events(contact_center(volume=10), "conversations", "2025-03-03T09:00Z", 4)) / len(
        events(contact_center(), "conversations", "2025-03-03T09:00Z", 4)
    )
    assert 8 < ratio < 12


@pytest.mark.parametrize("agents", [1, 25, 250])
def test_statuses_fill_each_shift_without_gaps(agents: int) -> None:
    """An agent's statuses add up to whole hours, the same in all three metrics."""
    found = counts_and_sums(events(contact_center(agents=agents), "users", "2025-03-03T00:00Z", 24))
    sums = {total for _, total in found.values()}
    assert len(found) == 3
    assert len(sums) == 1
    assert sums.pop() % HOUR == 0


def test_agents_have_unique_ids_and_names() -> None:
    agents = contact_center(agents=250).directory.agents
    assert len({agent.id for agent in agents}) == len({agent.name for agent in agents}) == 250


def test_distant_years_have_events_too() -> None:
    """Any period works, long ago or far ahead."""
    for year in (1999, 2044):
        moment = datetime(year, 6, 6, 10, tzinfo=timezone.utc)
        assert contact_center().hour("conversations", to_ms(moment) // HOUR)


MONDAY = datetime(2025, 6, 2, tzinfo=timezone.utc)
TUESDAY = MONDAY + timedelta(days=1)
EVER = datetime(2030, 1, 1, tzinfo=timezone.utc)
QUERY = {"group_by": ["queueId"], "metrics": ["nOffered", "tHandle", "oServiceLevel"], "granularity": "PT1H"}


def sandbox_of(*, rewrites: bool, settle_days: int = 7) -> Sandbox:
    """A sandbox whose clock is years after the events."""
    return Sandbox(Options(rewrites=rewrites, settle_days=settle_days), now=SettableClock(EVER))


def known_events(sandbox: Sandbox, as_of: datetime, family: str = "conversations") -> dict[int, Event]:
    """Monday's events that are known at a time, by each event's random bits."""
    first = to_ms(MONDAY) // HOUR
    return {
        event.random_bits: event
        for hour in range(first, first + 24)
        for several in sandbox.history.hour(family, hour, to_ms(as_of)).values()
        for event in several
    }


def test_without_rewrites_an_event_is_known_at_once_and_never_changes() -> None:
    """An event is unknown before it is posted, known right after, and never changes."""
    sandbox = sandbox_of(rewrites=False)
    final = known_events(sandbox, EVER)
    assert known_events(sandbox, TUESDAY) == final
    assert not known_events(sandbox, MONDAY)
    ten = MONDAY + timedelta(hours=10, minutes=20)
    seen = known_events(sandbox, ten)
    assert seen == {key: event for key, event in final.items() if event.at < to_ms(ten)}
    assert 0 < len(seen) < len(final)


def test_with_rewrites_events_arrive_late_are_corrected_or_removed() -> None:
    """Until day two events only arrive; then some change or disappear; after settling, none does."""
    sandbox = sandbox_of(rewrites=True)
    days = [known_events(sandbox, TUESDAY + timedelta(days=age)) for age in range(9)]
    original = known_events(sandbox_of(rewrites=False), EVER)
    assert 0.85 < len(days[0]) / len(original) < 0.99
    assert set(days[0]) < set(days[1])
    early = known_events(sandbox, MONDAY + timedelta(days=2))
    assert all(event == original[key] for key, event in early.items())
    corrected = {key for key, event in days[8].items() if event != original[key]}
    assert 0.03 < len(corrected) / len(original) < 0.07
    assert 0.015 < 1 - len(days[8]) / len(original) < 0.045
    assert days[5] != days[6]
    assert days[6] == days[7] == days[8] == known_events(sandbox, EVER)


def test_an_event_changes_at_most_once() -> None:
    """An event that arrived, changed or disappeared does not go back to an earlier version."""
    sandbox = sandbox_of(rewrites=True)
    final = known_events(sandbox, EVER)
    ages = [known_events(sandbox, MONDAY + timedelta(hours=hours)) for hours in range(48, 216, 8)]
    for key in ages[0]:
        versions = [age.get(key) for age in ages]
        changes = [one != other for one, other in pairwise(versions)]
        assert sum(changes) <= 1
        assert versions[-1] == final.get(key)


@pytest.mark.parametrize(("family", "settle_days", "expected"), [("users", 5, 5), ("resolutions", 7, 10)])
def test_resolutions_settle_three_days_later(family: str, settle_days: int, expected: int) -> None:
    """Resolutions settle three days later than other families; the option moves both."""
    sandbox = sandbox_of(rewrites=True, settle_days=settle_days)
    final = known_events(sandbox, EVER, family)
    assert sandbox.history.settles_after(family) == expected * DAY
    assert known_events(sandbox, TUESDAY + timedelta(days=expected), family) == final
    assert known_events(sandbox, TUESDAY + timedelta(days=2), family) != final


def test_known_events_do_not_depend_on_earlier_calls() -> None:
    """What is known at a time does not depend on what was read before."""
    as_of = TUESDAY + timedelta(days=3, hours=5)
    one, other = sandbox_of(rewrites=True), sandbox_of(rewrites=True)
    known_events(other, EVER)
    known_events(other, TUESDAY)
    assert known_events(one, as_of) == known_events(other, as_of)


@pytest.mark.parametrize("age", [0.5, 1, 4, 9])
def test_expected_rows_as_of_a_time_match_the_responses_at_that_time(age: float) -> None:
    """`as_of` gives the rows that a sandbox would return whose clock shows that time."""
    clock = SettableClock(MONDAY + timedelta(days=age))
    sandbox = Sandbox(Options(rewrites=True), now=clock)
    rows = ExpectedRows(sandbox).rows(QUERY, MONDAY, TUESDAY)
    body = {
        "interval": "2025-06-02T00:00Z/2025-06-03T00:00Z",
        "groupBy": ["queueId"],
        "metrics": QUERY["metrics"],
        "granularity": "PT1H",
    }
    response = SandboxClient(sandbox).results("conversations", body)["results"]
    assert rows == ExpectedRows(sandbox_of(rewrites=True)).rows(QUERY, MONDAY, TUESDAY, as_of=clock())
    assert len(rows) == sum(len(result["data"]) for result in response)
    assert sum(row["t_handle_sum"] or 0 for row in rows) == sum(
        entry["stats"]["sum"]
        for result in response
        for bucket in result["data"]
        for entry in bucket["metrics"]
        if entry["metric"] == "tHandle"
    )


def test_rewrites_remove_whole_rows() -> None:
    """Some early rows have no counterpart in the end: an upsert alone would keep them."""
    expected = ExpectedRows(sandbox_of(rewrites=True))
    fine = {"metrics": ["tAbandon", "nError"], "granularity": "PT1M", "group_by": ["queueId", "mediaType"]}
    early, late = (
        {(row["interval_start"], row["queue_id"], row["media_type"]) for row in expected.rows(fine, *when)}
        for when in ((MONDAY, TUESDAY, TUESDAY + timedelta(days=1)), (MONDAY, TUESDAY))
    )
    assert early - late
    assert late - early
