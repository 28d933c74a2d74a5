"""What earlier demos loaded, stored next to their Meltano state."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from typing_extensions import override

from demo.paths import DEMO

if TYPE_CHECKING:
    from pathlib import Path

_DAYS = 14


@dataclass(frozen=True, slots=True)
class LoadTotals:
    """How much one load did, or all loads of a demo together."""

    windows: int
    requests: int
    rows: int

    def __add__(self, other: LoadTotals) -> LoadTotals:
        return LoadTotals(
            self.windows + other.windows, self.requests + other.requests, self.rows + other.rows
        )

    @override
    def __str__(self) -> str:
        """Text such as ``2 windows, 3 requests, 1,440 rows``."""
        parts = {"window": self.windows, "request": self.requests, "row": self.rows}
        return ", ".join(f"{number:,} {noun}{'' if number == 1 else 's'}" for noun, number in parts.items())


class DemoHistory:
    """One folder per database: Meltano's state, and the totals of the first demo."""

    def __init__(self, url: str | None) -> None:
        """Open the history of a database.

        Args:
            url: The database; None for the embedded one.
        """
        name = "embedded" if url is None else hashlib.sha256(url.encode()).hexdigest()[:12]
        self.folder = DEMO / "runs" / name
        self._file = self.folder / "ledger.json"  # the name that earlier versions of the demo used

    @property
    def postgres(self) -> Path:
        """The data folder of the embedded server."""
        return self.folder / "postgres"

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables that make Meltano keep its state in this folder."""
        return {"MELTANO_DATABASE_URI": f"sqlite:///{self.folder / 'meltano.db'}"}

    @property
    def started(self) -> bool:
        """Whether a demo has started to load into this database."""
        return self._file.exists()

    def start(self, end: datetime) -> datetime:
        """Return where the data begins: midnight, two weeks before the end of the first demo.

        Args:
            end: The end of this demo's data; recorded if this is the first demo.
        """
        if not self.started:
            midnight = (end - timedelta(days=_DAYS)).replace(hour=0)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write({"start": midnight.isoformat()})
        return datetime.fromisoformat(str(self._read()["start"]))

    @property
    def first(self) -> LoadTotals | None:
        """The totals of the first demo that finished, or None."""
        found = self._read().get("first")
        return LoadTotals(**found) if isinstance(found, dict) else None

    def finish(self, totals: LoadTotals) -> None:
        """Record the totals of this demo if it is the first to finish."""
        if self.first is None:
            self._write({**self._read(), "first": asdict(totals)})

    def clear(self) -> None:
        """Delete the state, and the embedded server's data."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self._file.read_text(encoding="utf-8")) if self.started else {}
        return found

    def _write(self, values: dict[str, object]) -> None:
        self._file.write_text(json.dumps(values), encoding="utf-8")
