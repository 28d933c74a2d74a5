"""A warehouse with marts that dbt built, and the page made from them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.transform.warehouse import START, Postgres, Tap

from .warehouse import marts, report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.running import Row

HOSTILE = "</script><script>alert(1)</script>"
NOTE = "All rows <equal> the books"


@dataclass(frozen=True)
class Report:
    """The page, and the marts that it was made from.

    Attributes:
        path: The page.
        text: Its text.
        charts: Name → Vega-Lite, as the browser gets it.
        warehouse: The database.
    """

    path: Path
    text: str
    charts: dict[str, dict[str, Any]]
    warehouse: Postgres
    url: str

    def mart(self, name: str) -> list[Row]:
        return self.warehouse.rows(f"select * from genesys_marts.genesys__{name}")  # noqa: S608  # fixed names

    def values(self, chart: str) -> list[Row]:
        found: list[Row] = self.charts[chart]["data"]["values"]
        return found


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """Eight days, the last until three in the afternoon; a queue's name is HTML, and two queues share one."""
    folder = tmp_path_factory.mktemp("report")
    tap = Tap()
    tap.run(START + timedelta(days=7, hours=13))
    loaded = tap.loaded
    names = {"Overflow": HOSTILE, "Collections": "Sales"}
    for row in loaded.tables["queues"]:
        row["name"] = names.get(row["name"], row["name"])
    with marts(folder, loaded) as (server, warehouse):
        path = folder / "page.html"
        done = report("--output", path, "--note", NOTE, DATABASE_URL=server.url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{path}\n"
        text = path.read_text(encoding="utf-8")
        data = re.search(r'<script type="application/json" id="charts">(.*?)</script>', text, re.DOTALL)
        assert data
        yield Report(path, text, json.loads(data[1]), warehouse, server.url)
