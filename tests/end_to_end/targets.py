"""Loads into a target through a pipe, and reads what it holds, for each target of docs/targets.md."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from abc import ABC, abstractmethod
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from typing_extensions import override

from demo.paths import CLONE, PLUGINS

from . import process
from .process import TIMEOUT, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from demo.postgres import Postgres
    from tap_genesys_aggregates.core.schema import Column

Row = dict[str, Any]
_PAGE = (CLONE / "docs" / "targets.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"```json\n(.*?)```", re.DOTALL)


class Target(ABC):
    """A target in an environment of its own, and a place to load into."""

    name: str

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.program = PLUGINS / self.name / "bin" / self.name
        section = _PAGE.split(f"\n## {self.name}\n")[1].partition("\n## ")[0]
        (documented,) = map(json.loads, _BLOCK.findall(section))
        assert documented.keys() >= self.place.keys()
        self.config = write_json(folder, self.name, {**documented, **self.place, **config})

    @property
    @abstractmethod
    def place(self) -> dict[str, Any]:
        """Where it loads to; its other settings are those of docs/targets.md."""

    @abstractmethod
    def rows(self, stream: str, keys: Iterable[str]) -> list[Row]:
        """What it holds of a stream, as it holds it."""

    def as_written(self, stream: str, keys: Iterable[str], columns: Iterable[Column]) -> list[Row]:
        """What it holds of a stream, in the tap's own types."""
        kinds = {each.name: each.kind for each in columns}
        return [
            {name: _value(row[name], kind) for name, kind in kinds.items()} for row in self.rows(stream, keys)
        ]

    def load(self, config: str, *arguments: str) -> tuple[int, dict[str, Any] | None]:
        """Run the tap into it.

        Args:
            config: The tap's config file.
            arguments: More arguments of the tap.

        Returns:
            The tap's exit status, and the last state that the target wrote; None if it wrote none.
        """
        with process.start("--config", config, *arguments, stderr=subprocess.DEVNULL) as tap:
            done = subprocess.run(
                [self.program, "--config", self.config],
                stdin=tap.stdout,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT,
            )
            status = tap.wait(TIMEOUT)
        assert done.returncode == 0, done.stderr
        states = done.stdout.splitlines()
        return status, json.loads(states[-1]) if states else None


class InFiles(Target):
    """A target that only adds rows; the last one of a key counts."""

    @override
    def rows(self, stream: str, keys: Iterable[str]) -> list[Row]:
        found = self.lines(stream)
        return list({tuple(row[key] for key in keys): row for row in found}.values())

    @abstractmethod
    def lines(self, stream: str) -> list[Row]:
        """Every row that was ever written, in order."""


class Csv(InFiles):
    name = "target-csv"

    @property
    @override
    def place(self) -> dict[str, Any]:
        return {"output_path": str(self.folder / "csv")}

    @override
    def lines(self, stream: str) -> list[Row]:
        found: list[Row] = []
        for path in sorted((self.folder / "csv").glob(f"{stream}.*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                found += csv.DictReader(file)
        return found


class Jsonl(InFiles):
    name = "target-jsonl"

    @property
    @override
    def place(self) -> dict[str, Any]:
        return {"destination_path": str(self.folder / "jsonl")}

    @override
    def lines(self, stream: str) -> list[Row]:
        text = (self.folder / "jsonl" / f"{stream}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


class DuckDb(Target):
    name = "target-duckdb"

    @property
    @override
    def place(self) -> dict[str, Any]:
        return {"path": str(self.folder / "warehouse.duckdb")}

    @override
    def rows(self, stream: str, keys: Iterable[str]) -> list[Row]:
        import duckdb  # noqa: PLC0415  # takes a while, and only this target needs it

        with duckdb.connect(self.folder / "warehouse.duckdb", read_only=True) as connection:
            cursor = connection.execute(f'select * from genesys."{stream}"')  # noqa: S608  # names of this test
            names = [each[0] for each in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class InPostgres(Target):
    name = "target-postgres"

    def __init__(self, folder: Path, server: Postgres, **config: Any) -> None:
        self._server = server
        self.schema = folder.name
        super().__init__(folder, **config)

    @property
    @override
    def place(self) -> dict[str, Any]:
        url = self._server.settings["TARGET_POSTGRES_SQLALCHEMY_URL"]
        return {"sqlalchemy_url": url, "default_target_schema": self.schema}

    @override
    def rows(self, stream: str, keys: Iterable[str]) -> list[Row]:
        query = psycopg.sql.SQL("select * from {}").format(psycopg.sql.Identifier(self.schema, stream))
        with self._server.connect() as connection, connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query).fetchall()


def instant(text: str) -> datetime:
    """An instant of a state or of a file; UTC if it has no zone."""
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _value(value: Any, kind: str) -> object:
    if value is None or value == "":  # CSV has no null
        return None
    if kind == "integer":
        return int(value)
    if kind == "number":
        return float(value)
    if kind == "boolean":
        return str(value).lower() == "true"
    if kind == "date-time":
        return instant(str(value)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value
