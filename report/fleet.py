"""Which of several organizations need attention, and which most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from report import words

if TYPE_CHECKING:
    from datetime import datetime

    from report.queries import Row

ORGANIZATIONS_DRAWN = 20
"""So many organizations are always visible; the others are behind a line that counts them."""
LATE_AFTER_HOURS = 26
"""As the freshness in ``transform/models/sources.yml``: a daily run and two hours."""

NEVER, FAILED, LATE, INCOMPLETE = "never", "failed", "late", "incomplete"
LABELS = {NEVER: "Never loaded", FAILED: "Last run failed", LATE: "Late", INCOMPLETE: "Data is missing"}
"""Problems with what they are called, the worst first."""
NOT_FINE = set(LABELS)


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization and what is wrong with it.

    Attributes:
        row: Its numbers, as the warehouse has them.
        problems: Its problems, the worst first.
    """

    row: Row
    problems: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is wrong, for people."""
        late = f"late: {self.row['furthest_behind']}"
        found = [late if each == LATE else LABELS[each].lower() for each in self.problems]
        return ", ".join(found) or words.MISSING


def ranked(rows: list[Row], now: datetime) -> list[Organization]:
    """Organizations by what is wrong with them: the worst first, those without a problem last.

    Organizations with the same problem are in the order of their age, the oldest first.

    Args:
        rows: The organizations.
        now: When that is.
    """
    found = [Organization(row, _problems(row, now)) for row in rows]
    return sorted(found, key=lambda each: _place(each, now))


def _problems(row: Row, now: datetime) -> tuple[str, ...]:
    holds = {
        NEVER: row["queries"] == 0,
        FAILED: row["last_run_status"] == "failed",
        LATE: row["queries"] > 0 and now - row["last_extracted_at"] > timedelta(hours=LATE_AFTER_HOURS),
        INCOMPLETE: bool(row["gaps"] or row["missing_windows"]),
    }
    return tuple(each for each in LABELS if holds[each])


def _place(each: Organization, now: datetime) -> tuple[object, ...]:
    row = each.row
    places = [list(LABELS).index(problem) for problem in each.problems] or [len(LABELS)]
    age = (now - row["last_extracted_at"]).total_seconds() if row["queries"] else 0
    return (*places[:1], -age, -(row["missing_windows"] or 0), -(row["gaps"] or 0), row["organization"])


def title(organizations: list[Organization]) -> str:
    """How many organizations need attention."""
    ill = [each for each in organizations if each.problems]
    number = words.plural(len(organizations), "organization")
    if ill:
        return f"{len(ill)} of {number} {'needs' if len(ill) == 1 else 'need'} attention"
    checked = sum(each.row["checked"] for each in organizations)
    queries = sum(each.row["queries"] for each in organizations)
    counted = (
        "no window lacks rows" if checked == queries else f"rows counted for {checked} of {queries} queries"
    )
    return f"All {number} are up to date: no gaps, {counted}"
