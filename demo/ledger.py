"""What earlier demos did, kept beside their state."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from demo.places import DEMO

if TYPE_CHECKING:
    from pathlib import Path

_DAYS = 14


@dataclass(frozen=True, slots=True)
class Effort:
    """What one demo did, all its loads together."""

    windows: int
    requests: int
    rows: int

    def __add__(self, other: Effort) -> Effort:
        """Both together."""
        return Effort(self.windows + other.windows, self.requests + other.requests, self.rows + other.rows)

    @property
    def words(self) -> str:
        """In words."""
        parts = {"window": self.windows, "request": self.requests, "row": self.rows}
        return ", ".join(f"{number:,} {what}{'' if number == 1 else 's'}" for what, number in parts.items())


NOTHING = Effort(0, 0, 0)


class Ledger:
    """One folder a database: Meltano's state, and what the first demo did."""

    def __init__(self, url: str | None) -> None:
        """Open the ledger of a database.

        Args:
            url: Whose; None for the embedded one.
        """
        name = "embedded" if url is None else hashlib.sha256(url.encode()).hexdigest()[:12]
        self.folder = DEMO / "runs" / name
        self._file = self.folder / "ledger.json"

    @property
    def postgres(self) -> Path:
        """The embedded server's data."""
        return self.folder / "postgres"

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that let Meltano keep its state here."""
        return {"MELTANO_DATABASE_URI": f"sqlite:///{self.folder / 'meltano.db'}"}

    @property
    def begun(self) -> bool:
        """Whether a demo has begun to load into this database."""
        return self._file.exists()

    def start(self, end: datetime) -> datetime:
        """Where the data begins: midnight two weeks before the first demo ended.

        Args:
            end: Where this demo ends; counts for the first one.
        """
        if not self.begun:
            midnight = (end - timedelta(days=_DAYS)).replace(hour=0)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write({"start": midnight.isoformat()})
        return datetime.fromisoformat(str(self._read()["start"]))

    @property
    def first(self) -> Effort | None:
        """What the first demo did, if it came to its end."""
        found = self._read().get("first")
        return Effort(**found) if isinstance(found, dict) else None

    def finish(self, effort: Effort) -> None:
        """Write down what this demo did, if none was finished before."""
        if self.first is None:
            self._write({**self._read(), "first": asdict(effort)})

    def forget(self) -> None:
        """Start over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self._file.read_text(encoding="utf-8")) if self.begun else {}
        return found

    def _write(self, values: dict[str, object]) -> None:
        self._file.write_text(json.dumps(values), encoding="utf-8")
