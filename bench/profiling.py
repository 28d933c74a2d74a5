"""Where the tap's time goes, by function, for each contract."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.asking import APIS
from bench.contenders import Stage
from bench.processes import python, run
from bench.serving import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.asking import Api
    from bench.figures import Sizes

_SHOWN = 16
"""Functions in a table; the rest is one line."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Shares of processor time, between 0 and 1.

    Attributes:
        api: The contract.
        own: A function's own share, largest first.
        whole: Its share with what it calls.
        how: What was run.
    """

    api: Api
    own: dict[str, float]
    whole: dict[str, float]
    how: str

    @property
    def table(self) -> str:
        """As Markdown."""
        shown = list(self.own)[:_SHOWN]
        rest = sum(self.own.values()) - sum(self.own[name] for name in shown)
        lines = [f"| `{name}` | {self.own[name]:.1%} | {self.whole[name]:.1%} |\n" for name in shown]
        lines.append(f"| {len(self.own) - len(shown)} others | {rest:.1%} | |\n")
        head = "| function | its own | with what it calls |\n|---|---|---|\n"
        return f"`{self.api}`, {self.how}:\n\n{head}{''.join(lines)}"


def profiles(sizes: Sizes, folder: Path) -> Iterator[Profile]:
    """Look where the tap is while it runs as it does for the rates.

    Args:
        sizes: How much.
        folder: For files.

    Yields:
        One profile a contract.
    """
    for api in APIS:
        place = folder / f"{api}-profile"
        place.mkdir()
        with server(api, sizes.groups) as url:
            stage, output = Stage(api, url, sizes.groups, place), place / "seen.json"
            *_, option, config = stage.tap(sizes.fast)
            run(python("bench.sampled", output, option, config))
        seen = json.loads(output.read_text(encoding="utf-8"))
        all_of_it = sum(seen["own"].values())
        own = dict(sorted(seen["own"].items(), key=lambda each: -each[1]))
        yield Profile(
            api,
            {name: seconds / all_of_it for name, seconds in own.items()},
            {name: seconds / all_of_it for name, seconds in seen["whole"].items()},
            f"{sizes.fast} windows, imports left out, looked at every millisecond",
        )
