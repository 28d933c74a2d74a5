"""A terminal that remembers, and a query that is pulled at a steady pace."""

from __future__ import annotations

import io
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.core.rows import Stamp
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.extract.progress import Progress
from tap_genesys_aggregates.extract.pulling import WindowPart
from tap_genesys_aggregates.http.usage import Usage
from tests.shell.making import Time

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2023, 11, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
LOGGER = "tap-genesys-aggregates"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal, and shows what stands on it."""

    @override
    def isatty(self) -> bool:
        return True

    @property
    def drawn(self) -> list[str]:
        """Every text that was drawn, whether or not it still stands there."""
        return [each for line in self.getvalue().split("\n") for each in line.split("\r") if each.strip()]

    @property
    def lines(self) -> list[str]:
        """What stands there: a carriage return goes back, and what follows is written over it."""
        shown = []
        for line in self.getvalue().split("\n"):
            cells = ""
            for each in line.split("\r"):
                cells = each + cells[len(each) :]
            shown.append(cells.rstrip())
        return shown


def part(day: int, rows: int = 100, requests: int = 2, *, whole: bool = True) -> WindowPart:
    """A day's answer."""
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    usage = Usage(requests=requests, rows=rows)
    return WindowPart(window, Stamp("", ""), [], usage, window if whole else None)


def days(time: Time, number: int, seconds: float) -> Iterator[list[WindowPart]]:
    """So many days, each of which takes so long."""
    for day in range(number):
        time.push(seconds)
        yield [part(day)]


def watch(stream: io.StringIO, number: int, seconds: float, *, of: int | None = None) -> Time:
    """Pull so many days of a period at a steady pace; the clock afterwards."""
    time = Time()
    progress = Progress(time.monotonic, stream)
    pulled = progress.over("calls", START, START + (of or number) * DAY, days(time, number, seconds))
    assert len(list(pulled)) == number
    return time
