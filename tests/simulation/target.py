"""A target that is killed with the tap: it may have loaded more than the state that it passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pipeline.running import Warehouse

if TYPE_CHECKING:
    from random import Random

    from tests.pipeline.running import Message, Row


class Target(Warehouse):
    """An upserting target that drains its streams one by one, and passes a STATE on when all are drained."""

    def load_some(self, messages: list[Message], rng: Random) -> None:
        """Load what got through before the end came.

        Every row before the STATE that was passed on is loaded; of those after it, of each stream the
        first few or none.

        Args:
            messages: What the tap had written.
            rng: Decides how far the target had come.
        """
        states = [place for place, message in enumerate(messages) if message["type"] == "STATE"]
        known = rng.choice(states[-3:]) + 1 if states and rng.random() < 0.9 else 0
        self.load(messages[:known])
        rest = messages[known:]
        self.load([message for message in rest if message["type"] == "SCHEMA"])
        for stream in sorted({message["stream"] for message in rest if message["type"] == "RECORD"}):
            rows = [each for each in rest if each["type"] == "RECORD" and each["stream"] == stream]
            self.load(rows[: rng.choice((0, len(rows), rng.randint(0, len(rows))))])

    def ledger(self, stream: str) -> list[Row]:
        """The lines of the ledger about one stream, by their windows."""
        lines = [line for line in self.rows("extractions") if line["query"] == stream]
        return sorted(lines, key=lambda line: (line["window_start"], line["window_end"]))

    def current(self, stream: str) -> list[Row]:
        """Rows that the last pull of their bucket brought, by the ledger."""
        ledger = self.ledger(stream)
        return [
            row
            for row in self.rows(stream)
            if not any(
                line["window_start"] <= row["interval_start"] < line["window_end"]
                and line["extracted_at"] > row["extracted_at"]
                for line in ledger
            )
        ]

    def gap(self, stream: str, start: str, end: str) -> str:
        """The first stretch between two instants that no line of the ledger covers; empty if none."""
        covered = start
        for line in self.ledger(stream):
            if line["window_start"] > covered:
                return f"{covered}/{line['window_start']}"
            covered = max(covered, line["window_end"])
        return "" if covered >= end else f"{covered}/{end}"
