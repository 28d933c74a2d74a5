"""Reads and summarizes what a command wrote, so that no figure compares different work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class DifferentRowsError(Exception):
    """A command wrote other rows than expected, so its figures must not be published."""


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """Summary of the rows in an output, in whichever format they were written.

    Attributes:
        rows: Number of rows.
        columns: The different numbers of columns of a row, not counting those that dlt adds for itself.
        total: Sum of all numbers.
    """

    rows: int
    columns: frozenset[int]
    total: float

    @classmethod
    def read(cls, outputs: Iterable[Path]) -> OutputSummary:
        """Read the rows of an output.

        Args:
            outputs: Files with one JSON object per line: Singer messages, Airbyte messages or plain rows.
        """
        rows, columns, total = 0, set(), 0.0
        for row in chain.from_iterable(map(_rows, outputs)):
            rows += 1
            columns.add(sum(not name.startswith("_dlt") for name in row))
            total += sum(value for value in row.values() if type(value) in {int, float})
        return cls(rows, frozenset(columns), total)

    def require_equal(self, expected: OutputSummary, command: str) -> None:
        """Check that this is the expected output.

        Args:
            expected: The expected output.
            command: Name of the command, for the message.

        Raises:
            DifferentRowsError: The outputs differ.
        """
        if self != expected:
            raise DifferentRowsError(f"{command} wrote {self}, not {expected}. No figures are published.")


def _rows(output: Path) -> Iterator[dict[str, Any]]:
    with output.open("rb") as lines:
        for line in lines:
            message = json.loads(line)
            kind = message.get("type")
            if kind is None:
                yield message
            elif kind == "RECORD" and "data" in message["record"]:
                yield message["record"]["data"]
            elif kind == "RECORD" and message["stream"] == "rows":
                yield message["record"]
