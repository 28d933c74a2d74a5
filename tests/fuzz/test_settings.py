"""Whatever JSON a config is, it is read, or refused in one line that names the setting."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS, SETTINGS
from tap_genesys_aggregates.core.errors import SettingError
from tests.core.making import examples

REQUIRED = {"client_id": "c", "client_secret": "of-the-tests", "start_date": "2023-11-01T00:00:00Z"}
QUERY = {"name": "calls", "metrics": ["nOffered"]}
ODD = (
    "",
    " ",
    "\0",
    "\ud800",
    "NaN",
    "1e999",
    "9" * 5_000,
    "P0D",
    "P1M",
    "P9999999999D",
    "P1000000Y",
    "PT0.0000001S",
    "0001-01-01",
    "9999-12-31T23:59:59-12:00",
    "../../etc/passwd",
    "Europe",
    "https://[::1",
    "https://a b/",
    "https://x:99999",
    "//x",
    "[" * 100_000,
    '{"a":' * 5_000,
    "null",
    "{}",
    "[]",
    "conversations",
    "users",
    "results",
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(ODD)
    | st.sampled_from(["nOffered", "queueId", "UTC", "PT30M", "P1D", "group_tree", "long", "async", "topN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
QUERIES = st.lists(st.dictionaries(st.sampled_from([*QUERY_FIELDS, "x"]), VALUES, max_size=5), max_size=2)


def is_short(line: str) -> None:
    """Check that a refusal is one line."""
    assert len(line) <= 4_100
    assert line.isprintable()


def read(config: dict[str, Any]) -> None:
    """Read; only refusals of our own come out, and a query that is taken can be sent."""
    try:
        taken = Settings.read(config)
    except SettingError as error:
        is_short(str(error))
        return
    for query in taken.queries:
        json.dumps([query.filter, dict(query.extra), [view.wire for view in query.views]], allow_nan=False)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "x"]), VALUES, max_size=5))
@examples(150)
def test_any_setting(changes: dict[str, Any]) -> None:
    """Any values for any settings."""
    read({**REQUIRED, **changes})


@given(QUERIES, st.sampled_from(["results", "group_tree"]))
@examples(150)
def test_any_query(queries: list[dict[str, Any]], api: str) -> None:
    """Any values for any fields of queries that are right otherwise."""
    read({**REQUIRED, "api": api, "queries": [{**QUERY, **query} for query in queries]})


@pytest.mark.parametrize("field", [*QUERY_FIELDS])
@pytest.mark.parametrize("odd", [*ODD, float("nan"), [[]], {"a": [{}]}], ids=lambda odd: repr(odd)[:12])
def test_odd_values_in_every_field(field: str, odd: object) -> None:
    """Each odd value alone, in each field."""
    read({**REQUIRED, "queries": [{**QUERY, field: odd}]})


@pytest.mark.parametrize("name", [*SETTINGS, *QUERY_FIELDS])
def test_what_is_nested_deeper_than_the_stack(name: str) -> None:
    """A config of a program's making may be."""
    deep: dict[str, Any] = {}
    within = deep
    for _ in range(5_000):
        within["a"] = {}
        within = within["a"]
    for config in ({**REQUIRED, name: deep}, {**REQUIRED, "queries": [{**QUERY, name: deep}]}):
        with pytest.raises(SettingError):
            Settings.read(config)


def test_many_metrics_are_read_quickly() -> None:
    """Ten thousand names are compared once each, not each with each."""
    read({**REQUIRED, "queries": [{**QUERY, "metrics": [f"n{number}" for number in range(10_000)]}]})


@pytest.mark.parametrize("host", ["a b", "a..b", ".a", "x" * 64, "@b", "a\u00a0b", "a\\@b"])
def test_a_host_that_no_request_could_name(host: str) -> None:
    """It is refused before any request."""
    with pytest.raises(SettingError, match="base_url: it wants a URL"):
        Settings.read({**REQUIRED, "base_url": f"https://{host}/"})


def test_a_user_agent_that_no_header_can_hold() -> None:
    """It is refused before any request."""
    with pytest.raises(SettingError, match="user_agent: it wants letters of ASCII"):
        Settings.read({**REQUIRED, "user_agent": "\u00e9\u4e2d"})
