"""The machine's clock, and the server's."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tap_genesys_aggregates.clock import ServerClock, SystemClock
from tests.http.fake_server import Answer, FakeClock, fake_api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["UTC", "Asia/Kathmandu", "America/St_Johns"])
def _time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sets the machine's time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_time_zone")
def test_now_is_utc() -> None:
    """In any time zone: local time is never labeled Z."""
    before, now, after = datetime.now(timezone.utc), SystemClock().now(), datetime.now(timezone.utc)
    assert before <= now <= after
    assert now.utcoffset() == timedelta()


def test_monotonic_seconds_only_grow() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first


# The server's clock, by the Date header of the token response

SERVER = datetime(2023, 11, 20, 12, 0, 0, tzinfo=timezone.utc)
DATE = "Mon, 20 Nov 2023 12:00:00 GMT"
NO_DATES = {
    "missing": None,
    "empty": "",
    "malformed": "yesterday",
    "garbled": "Mon, 99 Nov 2023 99:00:00 GMT",
    "overflowing": "Mon, 20 Nov 99999999999 12:00:00 GMT",
    "never set": "Thu, 01 Jan 1970 00:03:00 GMT",
}


def token(date: str | None, status: int = 200) -> Answer:
    """A response of the token endpoint with a ``Date`` header."""
    headers = {} if date is None else {"Date": date}
    return Answer(status, b'{"access_token": "t", "expires_in": 3600}', headers)


@pytest.mark.parametrize(
    ("machine", "now"),
    [
        (SERVER + timedelta(days=9), SERVER),
        (SERVER.replace(year=2035), SERVER),
        (SERVER + timedelta(seconds=3), SERVER),
        (SERVER + timedelta(seconds=1.5), SERVER + timedelta(seconds=1.5)),
        (SERVER, SERVER),
        (SERVER - timedelta(days=9), SERVER - timedelta(days=9)),
    ],
    ids=["nine days ahead", "2035", "seconds ahead", "within the precision", "equal", "nine days behind"],
)
def test_now_is_the_earlier_of_the_machines_time_and_the_servers(machine: datetime, now: datetime) -> None:
    api = fake_api(tokens=(token(DATE),), clock=FakeClock(machine))
    api.fetch()
    assert api.server_clock.now() == now
    api.clock.advance(60)
    assert api.server_clock.now() == now + timedelta(minutes=1)


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000", "UTC"])
def test_the_date_may_name_its_zone_in_several_ways(zone: str) -> None:
    api = fake_api(tokens=(token(DATE.replace("GMT", zone)),), clock=FakeClock(SERVER + timedelta(days=1)))
    api.fetch()
    assert api.server_clock.now() == SERVER


@pytest.mark.parametrize("date", NO_DATES.values(), ids=NO_DATES)
def test_without_a_date_the_machines_time_counts(date: str | None, caplog: pytest.LogCaptureFixture) -> None:
    machine = datetime(2035, 1, 1, tzinfo=timezone.utc)
    api = fake_api(tokens=(token(date),), clock=FakeClock(machine))
    api.fetch()
    assert api.server_clock.now() == machine
    assert "clock" not in caplog.text


def test_only_the_first_token_tells_the_time() -> None:
    """So that time does not jump during a run."""
    for first, now in ((DATE, SERVER), (None, SERVER + timedelta(days=9))):
        tokens = (token(first), token("Mon, 20 Nov 2023 09:00:00 GMT"))
        api = fake_api(tokens=tokens, clock=FakeClock(SERVER + timedelta(days=9)))
        api.fetch()
        api.clock.advance(4000)
        api.fetch()
        assert len(api.server.token_calls) == 2
        assert api.server_clock.now() == now + timedelta(seconds=4000)


def test_only_a_response_with_a_token_tells_the_time() -> None:
    """An error may come from a gateway, whose clock is another."""
    api = fake_api(
        tokens=(token("Mon, 20 Nov 2023 09:00:00 GMT", status=503), token(DATE)),
        clock=FakeClock(SERVER + timedelta(days=9)),
    )
    api.fetch()
    assert api.server_clock.now() - SERVER == timedelta(seconds=api.clock.monotonic() - sum(api.clock.slept))


@pytest.mark.parametrize(
    ("machine", "told"),
    [
        (
            SERVER + timedelta(days=9),
            (
                "The clock of this machine is 9 days, 0:00:00 ahead of the clock of login.example.com: "
                "2023-11-29T12:00:00.000Z here, 2023-11-20T12:00:00.000Z there. This run goes by the "
                "server's time, so that no bucket counts as complete too early. Correct the clock"
            ),
        ),
        (
            SERVER - timedelta(hours=2),
            (
                "The clock of this machine is 2:00:00 behind the clock of login.example.com: "
                "2023-11-20T10:00:00.000Z here, 2023-11-20T12:00:00.000Z there. This run goes by the "
                "machine's time, so the newest buckets are left to a later run. Correct the clock"
            ),
        ),
        (SERVER + timedelta(minutes=5), None),
        (SERVER - timedelta(minutes=5), None),
    ],
)
def test_a_difference_of_more_than_five_minutes_is_warned_about_once(
    machine: datetime, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    api = fake_api(tokens=(token(DATE),), clock=FakeClock(machine))
    api.fetch()
    api.clock.advance(4000)
    api.fetch()
    assert len(api.server.token_calls) == 2
    assert [record.getMessage() for record in caplog.records] == ([told] if told else [])


def test_the_comparison_is_made_once() -> None:
    clock = ServerClock(FakeClock(SERVER))
    assert clock.synchronize(SERVER - timedelta(hours=1)) == timedelta(hours=1)
    assert clock.synchronize(SERVER - timedelta(hours=2)) is None
    assert clock.now() == SERVER - timedelta(hours=1)


@pytest.mark.parametrize("date", [DATE, None], ids=["with a date", "without"])
def test_a_machine_that_is_set_back_does_not_set_the_run_back(date: str | None) -> None:
    """Otherwise, rows that are read again would look older than those that they replace."""
    api = fake_api(tokens=(token(date),), clock=FakeClock(SERVER))
    api.fetch()
    before = api.server_clock.now()
    api.clock.advance(-7200)
    assert api.server_clock.now() == before
    api.clock.advance(7200 + 60)
    assert api.server_clock.now() == before + timedelta(minutes=1)
