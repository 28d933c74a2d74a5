"""The page of ``./run report``: its numbers are those of the marts, and it needs nothing but itself."""

from __future__ import annotations

import base64
import json
import math
import re
import subprocess
import zlib
from collections import defaultdict
from html import escape, unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from typing_extensions import override

from tests.project.generated_settings import ROOT
from tests.transform.warehouse import ZONE

from . import browser
from .conftest import HOSTILE, NOTE
from .warehouse import PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta
    from pathlib import Path

    from tests.pipeline.running import Row

    from .conftest import Report

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

TILES = 7
_DRAW = """
import base64, json, sys
from report.picture import draw, fixed
specs, dark = json.load(sys.stdin), sys.argv[1] == "dark"
pictures = {name: draw(fixed(spec), dark=dark) for name, spec in specs.items()}
json.dump({name: base64.b64encode(each).decode() for name, each in pictures.items()}, sys.stdout)
"""


def _sum(rows: Iterable[Row], column: str) -> float:
    return math.fsum(float(row[column]) for row in rows)


def _ratio(rows: list[Row], numerator: str, denominator: str) -> float | None:
    below = _sum(rows, denominator)
    return _sum(rows, numerator) / below if below else None


def _names(made: Report) -> dict[str, str]:
    """Queue → what it is called: with the start of its ID if another has the same name."""
    names = {row["queue_id"]: row["queue_name"] for row in made.mart("queue_day")}
    return {
        queue: name if list(names.values()).count(name) == 1 else f"{name} · {queue[:8]}"
        for queue, name in names.items()
    }


def _local(row: Row) -> datetime:
    instant: datetime = row["interval_start"]
    return instant.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)


def _tiles(made: Report) -> dict[str, str]:
    found = re.findall(r'id="tile-([\w-]+)"><span>.*?</span><strong>(.*?)</strong>', made.text)
    return {name: unescape(value) for name, value in found}


def test_the_tiles_are_sums_of_the_marts_and_quotients_of_sums(made: Report) -> None:
    rows, agents = made.mart("queue_day"), made.mart("agent_day")
    busy = _sum(agents, "interacting_seconds")
    available = busy + _sum(agents, "communicating_seconds") + _sum(agents, "idle_seconds")
    answer, handle = (
        round((_ratio(rows, f"{name}_milliseconds", each) or 0) / 1000)
        for name, each in (("answer", "answered"), ("handle", "handled"))
    )
    assert 0 < answer < 60 < handle < 3600
    assert _tiles(made) == {
        "offered": f"{_sum(rows, 'offered'):,.0f}",
        "answered": f"{_sum(rows, 'answered'):,.0f}",
        "abandon-rate": f"{_ratio(rows, 'abandoned', 'offered'):.1%}",
        "service-level": f"{_ratio(rows, 'service_level_numerator', 'service_level_denominator'):.1%}",
        "handle-time": f"{handle // 60}m {handle % 60:02}s",
        "speed-of-answer": f"{answer}s",
        "occupancy": f"{busy / available:.1%}",
    }


def _averages(made: Report, key: Any, days_of: Any) -> dict[Any, tuple[float, float, int]]:
    """Offered and answered by a key, per day that was loaded at that time; and how many days those are."""
    rows = [{**row, "local": _local(row)} for row in made.mart("queue_interval")]
    first, last = min(row["local"] for row in rows), max(row["local"] for row in rows)
    days = {row["local"].replace(hour=0, minute=0) for row in rows}
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)

    def loaded(at: timedelta, weekday: int | None) -> int:
        return sum(first <= day + at <= last and weekday in (None, day.weekday()) for day in days)

    found = {}
    for each, group in groups.items():
        local = group[0]["local"]
        number = loaded(local - local.replace(hour=0, minute=0), days_of(local))
        found[each] = (_sum(group, "offered") / number, _sum(group, "answered") / number, number)
    return found


def test_the_profile_is_the_average_of_the_days_loaded_at_each_time(made: Report) -> None:
    """On the last day the afternoon is not over, and does not count there."""
    expected = _averages(made, lambda row: f"{row['local']:%H:%M}", lambda _: None)
    found = {row["start"]: (row["offered"], row["answered"], row["days"]) for row in made.values("profile")}
    assert len(found) == 48
    assert {name: found[name] for name in expected} == {
        name: pytest.approx(each) for name, each in expected.items()
    }
    assert all(found[name][:2] == (0, 0) for name in set(found) - set(expected))
    assert len({days for *_, days in found.values()}) > 1
    peak = max(expected, key=lambda name: expected[name][0])
    assert f"<h2>Offered peaks at {peak}:" in made.text


def test_the_heat_maps_are_the_averages_by_queue_weekday_and_half_hour(made: Report) -> None:
    names = _names(made)
    expected = _averages(
        made, lambda row: (names[row["queue_id"]], f"{row['local']:%a}", f"{row['local']:%H:%M}"),
        lambda local: local.weekday(),
    )  # fmt: skip
    expected = {key: value for key, value in expected.items() if value[0]}
    found = {
        (row["queue"], row["weekday"], row["half_hour"]): (row["offered"], row["days"])
        for name in made.charts if name.startswith("heat-") for row in made.values(name)
    }  # fmt: skip
    assert len(found) > 100
    assert found == {key: (pytest.approx(offered), days) for key, (offered, _, days) in expected.items()}


def test_the_service_level_of_each_queue_and_day_is_a_quotient_of_sums(made: Report) -> None:
    """A day without one is null, and so a dash; never 0."""
    names, rows = _names(made), made.mart("queue_day")
    expected = {}
    for queue in {row["queue_id"] for row in rows if row["service_level_denominator"]}:
        for day in {row["local_day"] for row in rows}:
            group = [row for row in rows if (row["queue_id"], row["local_day"]) == (queue, day)]
            level = _ratio(group, "service_level_numerator", "service_level_denominator")
            expected[names[queue], day.isoformat()] = level
    found = {(row["queue"], row["day"]): row["service_level"] for row in made.values("service-level")}
    assert found == pytest.approx(expected)
    assert any(level is None for level in expected.values())


def test_the_time_of_agents_is_that_of_the_routing_statuses(made: Report) -> None:
    hours: dict[tuple[str, str], float] = defaultdict(float)
    for row in made.mart("agent_status_day"):
        if row["status_type"] == "routing_status":
            hours[row["user_name"], row["status"]] += row["seconds"] / 3600
    found = {(row["agent"], row["status"]): (row["hours"], row["share"]) for row in made.values("status")}
    busy = sum(each for (_, status), each in hours.items() if status == "INTERACTING")
    assert f"<h2>Agents spent {busy / sum(hours.values()):.1%} of their time interacting</h2>" in made.text
    totals = {agent: sum(each for (name, _), each in hours.items() if name == agent) for agent, _ in hours}
    assert found == {
        key: (pytest.approx(each), pytest.approx(each / totals[key[0]])) for key, each in hours.items()
    }


def test_the_tables_have_the_queues_and_the_quality_of_the_data(made: Report) -> None:
    """What a queue does not have is a dash."""
    cells = [
        [unescape(each) for each in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", made.text.partition("<main>")[2].partition("</main>")[0])
    ]
    rows = {row[0]: row[1:] for row in cells}
    for queue, name in _names(made).items():
        group = [row for row in made.mart("queue_day") if row["queue_id"] == queue]
        level = _ratio(group, "service_level_numerator", "service_level_denominator")
        assert rows[name][0] == f"{_sum(group, 'offered'):,.0f}"
        assert rows[name][3] == ("–" if level is None else f"{level:.1%}")  # noqa: RUF001  # the page's dash
    for row in made.mart("data_quality"):
        assert rows[row["query"]][1:4] == ["0", "0", "0"]
        assert rows[row["query"]][5] == f"{row['covered_until'].day} {row['covered_until']:%b %Y, %H:%M} UTC"


class _References(HTMLParser):
    """Collects what a page would load or lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []
        self.style = ""
        self.tags: set[str] = set()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [each for each in attrs if each[0] in {"src", "href", "srcset", "action", "data"}]

    @override
    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.style += data


def test_the_page_refers_to_nothing_outside_itself(made: Report) -> None:
    """And its policy would not let it load or send anything."""
    parser = _References()
    parser.feed(made.text)
    assert parser.found == []
    assert parser.tags.isdisjoint({"link", "img", "iframe", "object", "embed", "base", "form"})
    assert not re.search(r"@import|url\(", parser.style)
    assert "content=\"default-src 'none'; script-src 'unsafe-inline'; style-src" in made.text
    assert [spec for spec in made.charts.values() if "url" in json.dumps(spec["data"])[:20]] == []
    assert len(made.text) < 1_500_000


def test_names_are_escaped(made: Report) -> None:
    """A queue may be called anything."""
    before = made.text.partition('<script type="application/json"')[0]
    assert escape(HOSTILE) in before
    assert escape(NOTE) in before
    assert HOSTILE not in made.text
    assert any(row["queue"] == HOSTILE for row in made.values("service-level"))


def _distinct_lines(png: bytes) -> int:
    """How many different lines a picture has. A blank one has at most three, which differ by filter."""
    data, place, width = b"", 8, int.from_bytes(png[16:20], "big")
    while place < len(png):
        size, kind = int.from_bytes(png[place : place + 4], "big"), png[place + 4 : place + 8]
        data += png[place + 8 : place + 8 + size] if kind == b"IDAT" else b""
        place += size + 12
    channels = {2: 3, 6: 4}[png[25]]
    lines, length = zlib.decompress(data), width * channels + 1
    return len({lines[start : start + length] for start in range(0, len(lines), length)})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_can_be_drawn_without_a_browser(made: Report, scheme: str) -> None:
    done = subprocess.run(
        [PYTHON, "-c", _DRAW, scheme], cwd=ROOT, input=json.dumps(made.charts), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pictures = json.loads(done.stdout)
    assert set(pictures) == set(made.charts)
    blank = [name for name, each in pictures.items() if _distinct_lines(base64.b64decode(each)) < 20]
    assert blank == []


@pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium here (on Debian: apt install chromium)")
def test_a_browser_shows_the_page(made: Report, tmp_path: Path) -> None:
    """At the width of a phone and of a desktop, in light, dark and print: no error, and no request."""
    marks = sum(
        len(made.values(name)) for name in made.charts if name.startswith(("heat", "service", "stat"))
    )
    backgrounds = set()
    with browser.open_page(tmp_path) as page:
        for width, dark, media in (
            (390, False, ""), (390, True, ""), (1280, False, ""), (1280, True, ""), (780, True, "print"),
        ):  # fmt: skip
            page.show(made.path, width=width, dark=dark, media=media)
            assert page.value("document.querySelectorAll('.tile strong').length") == TILES
            drawn = "path[aria-roledescription='bar'], path[aria-roledescription='rect mark']"
            count = page.value(f'document.querySelectorAll("{drawn}").length')
            assert count == marks + len(made.values("profile"))
            assert page.value("document.documentElement.scrollWidth") <= width
            background = page.value("getComputedStyle(document.querySelector('section')).backgroundColor")
            backgrounds.add((dark and not media, background))
            assert _distinct_lines(page.screenshot()) > 200
    assert page.errors == []
    assert set(page.requests) == {made.path.as_uri()}
    assert len(backgrounds) == 2
