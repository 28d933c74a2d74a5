"""Where the tap spends its time, by function, for each API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.commands import Commands
from bench.processes import python_command, run
from bench.query import APIS
from bench.replay import replay_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Sizes
    from bench.query import Api

_SHOWN = 16
"""Functions shown in the table; all others share one row."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Shares of CPU time, from 0 to 1.

    Attributes:
        api: The API.
        own: Function → its share without the functions that it calls, largest first.
        whole: Function → its share including the functions that it calls.
        method: What was run.
    """

    api: Api
    own: dict[str, float]
    whole: dict[str, float]
    method: str

    @property
    def table(self) -> str:
        """The profile as Markdown."""
        shown = list(self.own)[:_SHOWN]
        rest = sum(self.own.values()) - sum(self.own[name] for name in shown)
        lines = [f"| `{name}` | {self.own[name]:.1%} | {self.whole[name]:.1%} |\n" for name in shown]
        lines.append(f"| {len(self.own) - len(shown)} others | {rest:.1%} | |\n")
        head = "| function | own time | with calls |\n|---|---|---|\n"
        return f"`{self.api}`, {self.method}:\n\n{head}{''.join(lines)}"


def profiles(sizes: Sizes, folder: Path) -> Iterator[Profile]:
    """Profile the tap with the same load as for the rates.

    Args:
        sizes: How much to load.
        folder: A folder for files.

    Yields:
        One profile per API.
    """
    for api in APIS:
        place = folder / f"{api}-profile"
        place.mkdir()
        with replay_server(api, sizes.groups) as url:
            commands, output = Commands(api, url, sizes.groups, place), place / "profile.json"
            *_, option, config = commands.tap(sizes.fast)
            run(python_command("bench.sampler", output, option, config))
        seconds = json.loads(output.read_text(encoding="utf-8"))
        total = sum(seconds["own"].values())
        own = dict(sorted(seconds["own"].items(), key=lambda item: -item[1]))
        yield Profile(
            api,
            {name: value / total for name, value in own.items()},
            {name: value / total for name, value in seconds["whole"].items()},
            f"{sizes.fast} windows, imports excluded, sampled every millisecond",
        )
