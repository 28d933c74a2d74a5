"""Under Meltano, a lookup is selected only by a pattern that names it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.singer.meltano_selection import MeltanoSelection
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import config

SELECT, FILTER = "MELTANO_EXTRACT__SELECT", "MELTANO_EXTRACT__SELECT_FILTER"


def of(*patterns: str, only: tuple[str, ...] = ()) -> dict[str, str]:
    """The variables that Meltano sets."""
    return {SELECT: json.dumps(patterns), FILTER: json.dumps(only)}


@pytest.mark.parametrize(
    ("variables", "left_out"),
    [
        ({}, False),
        (of("*.*"), True),
        (of("*"), True),
        (of("**.*", "*.name"), True),
        (of("*.*", "!queues.*"), True),
        (of("*.*", "users.*"), True),
        (of(), True),
        ({SELECT: "no JSON"}, True),
        ({SELECT: '{"queues": 1}'}, True),
        (of("*.*", "queues.*"), False),
        (of("*.*", "queues"), False),
        (of("queues.name"), False),
        (of("*.*", "que*.*"), False),
        (of("*.*", "[pq]*.*"), False),
        (of("*.*", only=("queues",)), False),
        (of("*.*", only=("!queues",)), True),
    ],
)
def test_only_a_pattern_that_names_a_lookup_selects_it(variables: dict[str, str], *, left_out: bool) -> None:
    assert MeltanoSelection(variables).leaves_out("queues") is left_out


def discovered(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> dict[str, Any]:
    """The catalog that Meltano gets."""
    for name in (SELECT, FILTER):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found: dict[str, Any] = TapGenesysAggregates(config=config()).catalog_dict
    return found


def inclusions(catalog: dict[str, Any]) -> dict[str, set[str]]:
    """Every inclusion in each stream, by its name."""
    return {
        stream["tap_stream_id"]: {entry["metadata"]["inclusion"] for entry in stream["metadata"]}
        for stream in catalog["streams"]
    }


@pytest.mark.parametrize(
    ("variables", "queues", "users"),
    [
        ({}, {"automatic", "available"}, {"automatic", "available"}),
        (of("*.*"), {"unsupported"}, {"unsupported"}),
        (of("*.*", "queues.*"), {"automatic", "available"}, {"unsupported"}),
    ],
    ids=["without Meltano", "by default", "by name"],
)
def test_what_the_catalog_lets_meltano_select(
    variables: dict[str, str], queues: set[str], users: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries and the ledger always; Meltano's ``*.*`` does not select what is unsupported."""
    found = inclusions(discovered(monkeypatch, variables))
    assert (found["queues"], found["users"]) == (queues, users)
    assert found["extractions"] == found["queue_performance"] == {"automatic", "available"}


def test_a_catalog_from_before_the_selection_of_a_lookup_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meltano caches catalogs, and does not notice that the selection changed."""
    cached = discovered(monkeypatch, of("*.*"))
    assert TapGenesysAggregates(config=config(), catalog=cached).streams["queues"].selected is False
    monkeypatch.setenv(SELECT, '["*.*", "queues.*"]')
    with pytest.raises(SettingError, match=r"^the catalog is older than the selection of 'queues'\. Run "):
        _ = TapGenesysAggregates(config=config(), catalog=cached).streams
