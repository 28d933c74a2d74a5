"""What a contender made: its rows counted, so that no figure compares different work."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class DifferentError(Exception):
    """A contender did not make what it should have made; no figure of it is published."""


@dataclass(frozen=True, slots=True)
class Made:
    """Rows of an output, whichever way it writes them.

    Attributes:
        rows: How many.
        columns: How many each of them has; those that dlt adds for itself do not count.
        total: The sum of all their numbers.
    """

    rows: int
    columns: frozenset[int]
    total: float

    @classmethod
    def of(cls, outputs: Iterable[Path]) -> Made:
        """Count.

        Args:
            outputs: Files of Singer messages, of Airbyte's, or of plain rows, one a line.
        """
        rows, columns, total = 0, set(), 0.0
        for row in chain.from_iterable(map(_rows, outputs)):
            rows += 1
            columns.add(sum(not name.startswith("_dlt") for name in row))
            total += sum(value for value in row.values() if type(value) in {int, float})
        return cls(rows, frozenset(columns), total)

    def must_be(self, expected: Made, whose: str) -> None:
        """Refuse to go on where it is something else.

        Args:
            expected: What should have been made.
            whose: The contender's name.

        Raises:
            DifferentError: It is something else.
        """
        if self != expected:
            raise DifferentError(f"{whose} made {self}, not {expected}: nothing is published.")


def _rows(output: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file."""
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
