"""The facts: always the same, coherent, and shaped like a contact centre's."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox.contact_center import ContactCenter
from genesys_sandbox.contract import families
from genesys_sandbox.results_endpoint import sample_values
from genesys_sandbox.timestamps import HOUR, from_text, to_ms

if TYPE_CHECKING:
    from genesys_sandbox.events import Event

Totals = dict[str, tuple[float, float]]


def centre(seed: int = 7, agents: int = 25, volume: float = 1.0) -> ContactCenter:
    """A centre in London."""
    return ContactCenter(seed, agents, volume, "Europe/London")


def hour_of(text: str) -> int:
    """The number of an hour, from its UTC start."""
    return to_ms(from_text(text)) // HOUR


def events(of: ContactCenter, family: str, start: str, hours: int) -> list[Event]:
    """Everything posted in so many hours."""
    first = hour_of(start)
    return [
        event
        for hour in range(first, first + hours)
        for several in of.hour(family, hour).values()
        for event in several
    ]


def totals(several: list[Event]) -> Totals:
    """How often each metric was posted, and its sum."""
    found: dict[str, tuple[float, float]] = defaultdict(lambda: (0, 0))
    for event in several:
        count, total = found[event.metric]
        found[event.metric] = count + 1, total + event.value
    return found


@pytest.mark.parametrize("family", sorted(families()))
def test_same_seed_same_facts(family: str) -> None:
    """A family's facts depend on the seed alone, not on the order in which hours are asked for."""
    one, other = centre(), centre()
    events(other, family, "2025-03-03T15:00Z", 1)
    assert events(one, family, "2025-03-03T08:00Z", 8) == events(other, family, "2025-03-03T08:00Z", 8)
    assert events(one, family, "2025-03-03T08:00Z", 8) != events(
        centre(seed=8), family, "2025-03-03T08:00Z", 8
    )


def test_dimension_values_depend_on_the_subject_alone() -> None:
    """Any dimension of the family has a value or is unset, the same in every process."""
    one, other = centre(), centre()
    subject = events(one, "flows", "2025-03-03T09:00Z", 1)[0].subject
    names = sorted(families()["flows"].group_by)
    values = [one.directory.value(subject, name) for name in names]
    assert values == [other.directory.value(subject, name) for name in reversed(names)][::-1]
    assert None in values
    assert len(set(values)) > 10


def test_each_conversation_has_an_id_of_its_own() -> None:
    """What an agent and a queue say of one conversation shares its id; no other conversation has it."""
    of = centre()
    found = events(of, "conversations", "2025-03-03T09:00Z", 2)
    ids = {event.subject.source: of.directory.value(event.subject, "conversationId") for event in found}
    assert len(set(ids.values())) == len(ids) > 100


def test_a_fact_is_posted_in_the_hour_that_holds_its_instant() -> None:
    """Hours partition time: no fact is lost between them and none is in two."""
    of = centre()
    first = hour_of("2025-03-03T00:00Z")
    for hour in range(first, first + 24):
        for several in of.hour("conversations", hour).values():
            assert all(event.at // HOUR == hour for event in several)


def test_nothing_is_posted_later_than_an_hour_looks_back() -> None:
    """Whatever begins in an hour is posted within the three hours after it, so every fact is found."""
    of = centre(volume=10)
    for family in ("conversations", "bots", "users"):
        hour = hour_of("2025-03-03T10:00Z")
        assert set(of._started(family, hour)) <= set(range(hour, hour + 4))  # noqa: SLF001


@pytest.mark.parametrize("seed", [7, 8])
def test_offered_ends_answered_abandoned_or_flowed_out(seed: int) -> None:
    """From one silent day to another: nOffered = tWait = tAnswered + tAbandon + tFlowOut."""
    found = totals(events(centre(seed=seed), "conversations", "2024-12-25T12:00Z", 24 * 7))
    assert found["nOffered"][0] > 600
    ended = found["tAnswered"][0] + found["tAbandon"][0] + found["tFlowOut"][0]
    assert found["nOffered"][0] == found["tWait"][0] == found["tAcd"][0] == ended
    assert found["oServiceLevel"][0] == found["nOffered"][0] - found["tFlowOut"][0]
    assert found["oServiceLevel"][1] == found["tAnswered"][0] - found["nOverSla"][0]
    parts = ("tTalkComplete", "tHeldComplete", "tAcw", "tContacting", "tDialing")
    assert found["tHandle"][1] == sum(found[part][1] for part in parts)
    assert found["tTalk"][1] == found["tTalkComplete"][1]
    assert found["tShortAbandon"][0] < found["tAbandon"][0]


def test_the_sample_obeys_the_same_laws() -> None:
    """The laws are read off the real week: they hold there for every queue that has the metrics."""
    by_queue: dict[str, Totals] = defaultdict(dict)
    for posting in sample_values():
        cell = posting.cell
        by_queue[posting.group["queueId"]][posting.metric] = cell.number, cell.total
    for found in by_queue.values():

        def number(metric: str, found: Totals = found) -> float:
            return found.get(metric, (0, 0))[0]

        assert number("nOffered") == number("tWait")
        assert number("nOffered") == number("tAnswered") + number("tAbandon") + number("tFlowOut")
        assert number("oServiceLevel") == number("nOffered") - number("tFlowOut")


def test_days_have_a_shape() -> None:
    """Mornings are busier than nights, Mondays than Sundays, and on holidays nothing happens."""
    of = centre()
    monday = len(events(of, "conversations", "2025-03-03T00:00Z", 24))
    assert len(events(of, "conversations", "2025-03-03T09:00Z", 3)) > monday / 4
    assert len(events(of, "conversations", "2025-03-03T01:00Z", 3)) < monday / 50
    assert len(events(of, "conversations", "2025-03-02T00:00Z", 24)) < monday / 5
    for family in ("conversations", "users", "bots"):
        assert not events(of, family, "2025-12-25T04:00Z", 20)


def test_volume_scales() -> None:
    """Ten times the volume makes ten times the facts, about."""
    ratio = len(events(centre(volume=10), "conversations", "2025-03-03T09:00Z", 4)) / len(
        events(centre(), "conversations", "2025-03-03T09:00Z", 4)
    )
    assert 8 < ratio < 12


@pytest.mark.parametrize("agents", [1, 25, 250])
def test_statuses_fill_the_time_of_agents_on_shift(agents: int) -> None:
    """An agent's statuses add up to whole hours, alike in all three metrics."""
    found = totals(events(centre(agents=agents), "users", "2025-03-03T00:00Z", 24))
    sums = {total for _, total in found.values()}
    assert len(found) == 3
    assert len(sums) == 1
    assert sums.pop() % HOUR == 0


def test_agents_have_their_own_names() -> None:
    """No two of 250 agents share an id or a name."""
    agents = centre(agents=250).directory.agents
    assert len({agent.id for agent in agents}) == len({agent.name for agent in agents}) == 250


def test_years_far_away_have_facts_too() -> None:
    """Any period works, long ago or far ahead."""
    for year in (1999, 2044):
        moment = datetime(year, 6, 6, 10, tzinfo=timezone.utc)
        assert centre().hour("conversations", to_ms(moment) // HOUR)
