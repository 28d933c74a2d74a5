"""The messages on misspelt names are those that the docs quote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tap_genesys_aggregates.config.checks import unknown_names
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import SettingError

QUOTED = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text("utf-8").splitlines()
VIEW = {"name": "short", "target": "nHandle", "function": "rangeBound", "range": {"gte": 0}}


def said(**field: Any) -> str:
    """What the tap says of a query with this field."""
    query = {"name": "calls", "metrics": ["tHandle"], "group_by": ["queueId"], **field}
    config = {"client_id": "-", "client_secret": "-", "start_date": "2025-01-01", "queries": [query]}
    try:
        return "\n".join(line for each in Settings.read(config).queries for line in unknown_names(each))
    except SettingError as error:
        return str(error)


@pytest.mark.parametrize(
    ("field", "right"),
    [
        ({"metrics": ["tHandel"]}, "tHandle"),
        ({"group_by": ["queuId"]}, "queueId"),
        ({"endpoint": "conversation"}, "conversations"),
        ({"views": [VIEW]}, "tHandle"),
    ],
)
def test_the_nearest_right_name_is_told(field: dict[str, Any], right: str) -> None:
    """A misspelt metric, dimension, endpoint or view is answered with the right name, as quoted."""
    message = said(**field)
    assert f"did you mean {right!r}?" in message
    assert message in QUOTED
