"""History changes for a while, then settles."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from genesys_sandbox import ExpectedRows, Options, Sandbox, SandboxClient, SettableClock
from genesys_sandbox.timestamps import DAY, HOUR, to_ms

if TYPE_CHECKING:
    from genesys_sandbox.events import Event

MONDAY = datetime(2025, 6, 2, tzinfo=timezone.utc)
TUESDAY = MONDAY + timedelta(days=1)
EVER = datetime(2030, 1, 1, tzinfo=timezone.utc)
QUERY = {"group_by": ["queueId"], "metrics": ["nOffered", "tHandle", "oServiceLevel"], "granularity": "PT1H"}


def sandbox_of(*, rewrites: bool, settle_days: int = 7) -> Sandbox:
    """A sandbox long after all."""
    return Sandbox(Options(rewrites=rewrites, settle_days=settle_days), now=SettableClock(EVER))


def known(sandbox: Sandbox, as_of: datetime, family: str = "conversations") -> dict[int, Event]:
    """What is known of Monday at an instant, by the dice of each fact."""
    first = to_ms(MONDAY) // HOUR
    return {
        event.random_bits: event
        for hour in range(first, first + 24)
        for several in sandbox.history.hour(family, hour, to_ms(as_of)).values()
        for event in several
    }


def test_without_rewrites_a_fact_is_known_at_once_and_for_ever() -> None:
    """Nothing is seen before it is posted, everything right after, and nothing changes."""
    sandbox = sandbox_of(rewrites=False)
    final = known(sandbox, EVER)
    assert known(sandbox, TUESDAY) == final
    assert not known(sandbox, MONDAY)
    ten = MONDAY + timedelta(hours=10, minutes=20)
    seen = known(sandbox, ten)
    assert seen == {dice: event for dice, event in final.items() if event.at < to_ms(ten)}
    assert 0 < len(seen) < len(final)


def test_facts_come_late_are_corrected_and_removed() -> None:
    """Until day two facts only arrive; then some change their value and some go; afterwards none does."""
    sandbox = sandbox_of(rewrites=True)
    days = [known(sandbox, TUESDAY + timedelta(days=age)) for age in range(9)]
    made = known(sandbox_of(rewrites=False), EVER)
    assert 0.85 < len(days[0]) / len(made) < 0.99
    assert set(days[0]) < set(days[1])
    early = known(sandbox, MONDAY + timedelta(days=2))
    assert all(event == made[dice] for dice, event in early.items())
    corrected = {dice for dice, event in days[8].items() if event != made[dice]}
    assert 0.03 < len(corrected) / len(made) < 0.07
    assert 0.015 < 1 - len(days[8]) / len(made) < 0.045
    assert days[5] != days[6]
    assert days[6] == days[7] == days[8] == known(sandbox, EVER)


def test_once_corrected_always_corrected() -> None:
    """A fact that came, changed or went does not come back to what it was."""
    sandbox = sandbox_of(rewrites=True)
    final = known(sandbox, EVER)
    ages = [known(sandbox, MONDAY + timedelta(hours=hours)) for hours in range(48, 216, 8)]
    for dice in ages[0]:
        told = [age.get(dice) for age in ages]
        changes = [one != other for one, other in pairwise(told)]
        assert sum(changes) <= 1
        assert told[-1] == final.get(dice)


@pytest.mark.parametrize(("family", "settle_days", "expected"), [("users", 5, 5), ("resolutions", 7, 10)])
def test_families_settle_in_their_own_time(family: str, settle_days: int, expected: int) -> None:
    """Resolutions take three days longer; the option moves both."""
    sandbox = sandbox_of(rewrites=True, settle_days=settle_days)
    final = known(sandbox, EVER, family)
    assert sandbox.history.settles_after(family) == expected * DAY
    assert known(sandbox, TUESDAY + timedelta(days=expected), family) == final
    assert known(sandbox, TUESDAY + timedelta(days=2), family) != final


def test_truth_does_not_depend_on_the_order_of_asking() -> None:
    """As of an instant there is one truth, whatever was asked before."""
    as_of = TUESDAY + timedelta(days=3, hours=5)
    one, other = sandbox_of(rewrites=True), sandbox_of(rewrites=True)
    known(other, EVER)
    known(other, TUESDAY)
    assert known(one, as_of) == known(other, as_of)


@pytest.mark.parametrize("age", [0.5, 1, 4, 9])
def test_the_witness_tells_the_truth_as_of(age: float) -> None:
    """The witness as of an instant tells what a sandbox answers whose clock shows that instant."""
    clock = SettableClock(MONDAY + timedelta(days=age))
    sandbox = Sandbox(Options(rewrites=True), now=clock)
    rows = ExpectedRows(sandbox).rows(QUERY, MONDAY, TUESDAY)
    body = {
        "interval": "2025-06-02T00:00Z/2025-06-03T00:00Z",
        "groupBy": ["queueId"],
        "metrics": QUERY["metrics"],
        "granularity": "PT1H",
    }
    answer = SandboxClient(sandbox).results("conversations", body)["results"]
    assert rows == ExpectedRows(sandbox_of(rewrites=True)).rows(QUERY, MONDAY, TUESDAY, as_of=clock())
    assert len(rows) == sum(len(result["data"]) for result in answer)
    assert sum(row["t_handle_sum"] or 0 for row in rows) == sum(
        entry["stats"]["sum"]
        for result in answer
        for bucket in result["data"]
        for entry in bucket["metrics"]
        if entry["metric"] == "tHandle"
    )


def test_rewriting_removes_whole_rows() -> None:
    """Some buckets of the first telling have no row in the last: an upsert alone would keep them."""
    expected = ExpectedRows(sandbox_of(rewrites=True))
    fine = {"metrics": ["tAbandon", "nError"], "granularity": "PT1M", "group_by": ["queueId", "mediaType"]}
    early, late = (
        {(row["interval_start"], row["queue_id"], row["media_type"]) for row in expected.rows(fine, *when)}
        for when in ((MONDAY, TUESDAY, TUESDAY + timedelta(days=1)), (MONDAY, TUESDAY))
    )
    assert early - late
    assert late - early
