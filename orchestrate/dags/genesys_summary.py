"""What the tasks say in the end: who failed and why, short enough to be read. Nothing of Airflow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_NO_TABLE = re.compile(r"relation \"[^\"]*?(\w+)\" does not exist")
_LEDGER = "extractions"
"""The table that every load writes."""
_LONGEST_ERROR = 500
_MOST_ERRORS = 20
"""How many errors are shown. Beyond that, a table is easier to read than a text."""


def summary(outcomes: Sequence[Mapping[str, Any]], *, recorded: bool, built: bool) -> str:
    """Say who failed and why. Every organization that failed is named, each error once.

    Args:
        outcomes: How each load ended.
        recorded: Whether that is in ``genesys_runs``.
        built: Whether the KPIs were built.
    """
    failed = [each for each in outcomes if each["status"] != "success"]
    lines = [f"{len(outcomes) - len(failed)} of {len(outcomes)} organizations were loaded."]
    lines += _failures(failed)
    if not recorded:
        lines.append("This could not be written into genesys_runs: see the task 'record'.")
    lines.append("The KPIs were built." if built else "The KPIs were not built: see the task 'build'.")
    return "\n".join(lines)


def _failures(failed: Iterable[Mapping[str, Any]]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for each in failed:
        groups.setdefault(str(each["error"]), []).append(each["organization"])
    # The error that most have is shown first: it is probably no fault of a single organization.
    errors = sorted(groups, key=lambda error: -len(groups[error]))
    lines = [f"{_names(groups[error])} failed: {_cut(error)}" for error in errors[:_MOST_ERRORS]]
    others = [name for error in errors[_MOST_ERRORS:] for name in groups[error]]
    if others:
        lines.append(f"{_names(others)} failed too: see genesys_runs, or the log of each")
    return lines


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) == 1 else f"{', '.join(names)} ({len(names)} organizations)"


def _cut(error: str) -> str:
    return error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]} …"


def not_built(error: str) -> str:
    """Say why the KPIs were not built."""
    missing = list(dict.fromkeys(_NO_TABLE.findall(error)))
    advice = ""
    if _LEDGER in missing:
        advice = ". No organization was loaded yet"
    elif missing:
        switches = json.dumps({f"using_{table}": False for table in missing})
        advice = (
            f". If no organization loads {' and '.join(missing)}, set GENESYS_DAG_DBT_VARIABLES to "
            f"{switches}; otherwise see why no load has created it"
        )
    return f"dbt build failed: {error}{advice}"
