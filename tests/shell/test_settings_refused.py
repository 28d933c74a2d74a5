"""Bad settings: one line each, which names the setting and says what it wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS, SETTINGS
from tap_genesys_aggregates.core.errors import SettingError
from tests.core.making import examples
from tests.http.fake_server import GATEWAY, QUERY, REQUIRED, SECRET, config, one_query

if TYPE_CHECKING:
    from collections.abc import Mapping

TREE = config(base_url=GATEWAY)


def refused(settings: Mapping[str, object]) -> str:
    """What the tap says of a config."""
    with pytest.raises(SettingError) as error:
        Settings.read(settings)
    message = str(error.value)
    assert message.isprintable()
    assert len(message) < 700
    assert SECRET not in message
    return message


@pytest.mark.parametrize(
    ("changes", "name", "wants"),
    [
        ({"start_date": "yesterday"}, "start_date", "date-time"),
        ({"start_date": "2023-02-30"}, "start_date", ""),
        ({"start_date": 20231101}, "start_date", "text"),
        ({"start_date": "0001-01-01"}, "start_date", "1970"),
        ({"start_date": None}, "start_date", "missing"),
        ({"end_date": "soon"}, "end_date", "date-time"),
        ({"end_date": "2023-11-01T00:00:00Z"}, "end_date", "after start_date"),
        ({"end_date": "2023-10-01T00:00:00Z"}, "end_date", "after start_date"),
        ({"client_id": None}, "client_id", "GENESYS_CLIENT_ID"),
        ({"client_secret": None}, "client_secret", "GENESYS_CLIENT_SECRET"),
        ({"client_id": " "}, "client_id", "text"),
        ({"client_id": "a\nb"}, "client_id", "one line"),
        ({"client_secret": 5}, "client_secret", "text"),
        ({"client_secret": f"{SECRET}\n"}, "client_secret", "one line"),
        ({"client_secret": [SECRET]}, "client_secret", "text"),
        ({"region": "atlantis"}, "region", "bare domain"),
        ({"region": "https://mypurecloud.ie"}, "region", "bare domain"),
        ({"region": "mypurecloud.ie/x"}, "region", "bare domain"),
        ({"region": "user@mypurecloud.ie"}, "region", "bare domain"),
        ({"base_url": "gateway.example.com"}, "base_url", "URL"),
        ({"base_url": "ftp://gateway.example.com"}, "base_url", "URL"),
        ({"base_url": "http://gateway.example.com"}, "base_url", "https"),
        ({"base_url": "http://127.0.0.1.example.com"}, "base_url", "https"),
        ({"base_url": "http://localhost.example.com"}, "base_url", "https"),
        ({"base_url": "http://[::2]"}, "base_url", "https"),
        ({"base_url": "https://user:pass@gateway.example.com"}, "base_url", "without user"),
        ({"base_url": "https://gateway.example.com?x=1"}, "base_url", "query"),
        ({"base_url": "https://gateway.example.com:port"}, "base_url", "URL"),
        ({"base_url": "https://"}, "base_url", "URL"),
        ({"token_url": "http://login.example.com/oauth/token"}, "token_url", "https"),
        ({"api": "graphql"}, "api", "auto, results, group_tree"),
        ({"lookback_days": -1}, "lookback_days", "number"),
        ({"lookback_days": "a week"}, "lookback_days", "number"),
        ({"lookback_days": float("nan")}, "lookback_days", "number"),
        ({"lookback_days": True}, "lookback_days", "number"),
        ({"lookback_days": 10**400}, "lookback_days", "number"),
        ({"window": "1 day"}, "window", "ISO 8601 duration"),
        ({"window": "P1DT1H"}, "window", "ISO 8601 duration"),
        ({"max_window": "P0D"}, "max_window", "ISO 8601 duration"),
        ({"window": "P40D"}, "max_window", "shorter than window"),
        ({"concurrency": 0}, "concurrency", "1 to 16"),
        ({"concurrency": 17}, "concurrency", "1 to 16"),
        ({"concurrency": 2.5}, "concurrency", "whole number"),
        ({"requests_per_minute": 0}, "requests_per_minute", "number"),
        ({"page_size": "many"}, "page_size", "number"),
        ({"request_timeout": 0}, "request_timeout", "number"),
        ({"max_retries": -1}, "max_retries", "number"),
        ({"user_agent": ["x"]}, "user_agent", "text"),
        ({"queries": {}}, "queries", "list"),
        ({"queries": []}, "queries", "empty"),
        ({"queries": "[{"}, "queries", "JSON"),
        ({"queries": ["calls"]}, "queries[0].name", "object"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_named(changes: dict[str, object], name: str, wants: str) -> None:
    """The message begins with the setting's name and says what it wants."""
    message = refused(config(**changes))
    assert message.startswith(f"{name}: ")
    assert wants in message


@pytest.mark.parametrize(
    ("changes", "field", "wants"),
    [
        ({"name": None}, "name", "missing"),
        ({"name": "Calls"}, "name", "^[a-z][a-z0-9_]*$"),
        ({"name": "1calls"}, "name", "^[a-z][a-z0-9_]*$"),
        ({"name": "calls\n"}, "name", "one line"),
        ({"name": "x" * 9_999}, "name", "characters"),
        ({"metrics": []}, "metrics", "at least one"),
        ({"metrics": None}, "metrics", "at least one"),
        ({"metrics": "nOffered"}, "metrics", ""),
        ({"metrics": [5]}, "metrics", "names"),
        ({"metrics": [""]}, "metrics", "names"),
        ({"metrics": ["nOffered", "nOffered"]}, "metrics", "twice"),
        ({"group_by": {"queueId": 1}}, "group_by", "list"),
        ({"group_by": ["queueId", "queueId"]}, "group_by", "twice"),
        ({"granularity": "hour"}, "granularity", "ISO 8601 duration"),
        ({"granularity": "PT0S"}, "granularity", "ISO 8601 duration"),
        ({"granularity": 3600}, "granularity", "text"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "IANA name"),
        ({"time_zone": "/etc/passwd"}, "time_zone", "IANA name"),
        ({"time_zone": "../UTC"}, "time_zone", "IANA name"),
        ({"endpoint": "conversation"}, "endpoint", "did you mean 'conversations'?"),
        ({"path": "https://evil.example.com/x"}, "path", "begins with /"),
        ({"path": "//evil.example.com/x"}, "path", "begins with /"),
        ({"path": "/x?y"}, "path", "begins with /"),
        ({"filter": ["x"]}, "filter", "object"),
        ({"shape": "tall"}, "shape", "wide, long"),
        ({"views": [{"name": "short"}]}, "views", "target"),
        ({"flatten_multivalued_dimensions": "yes"}, "flatten_multivalued_dimensions", "true or false"),
        ({"limit": 0}, "limit", "number"),
        ({"lookback_days": -2}, "lookback_days", "number"),
        ({"window": "long"}, "window", "ISO 8601 duration"),
        ({"preset": "queue_performanse"}, "preset", "did you mean 'queue_performance'?"),
        ({"metric": ["nOffered"]}, "metric", "did you mean 'metrics'?"),
        ({"groupBy": ["queueId"]}, "groupBy", "did you mean 'group_by'?"),
    ],
)  # fmt: skip
def test_a_bad_field_of_a_query_is_named(changes: dict[str, object], field: str, wants: str) -> None:
    """The message begins with the query's place and the field's name."""
    message = refused(one_query(**changes))
    assert message.startswith(f"queries[0].{field}: ")
    assert wants in message


def test_two_queries_of_one_name_are_refused() -> None:
    """They would write into one table; the second one is named."""
    message = refused(config(queries=[QUERY, {**QUERY, "metrics": ["tHandle"]}]))
    assert message.startswith("queries[1].name: 'calls' is the name of an earlier query")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("start_dat", "start_date"),
        ("Region", "region"),
        ("lookback_day", "lookback_days"),
        ("clientid", "client_id"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_one(written: str, meant: str) -> None:
    """A misspelt setting would be without effect in silence."""
    message = refused(config(**{written: "x"}))
    assert message == f"{written}: there is no such setting; did you mean {meant!r}?"


def test_an_unknown_setting_like_no_other_is_refused() -> None:
    """Where nothing is near, nothing is guessed; settings of the SDK are let through where it names them."""
    assert refused(config(zzz=1)) == "zzz: there is no such setting"
    assert Settings.read(config(stream_maps={}), ("stream_maps",)).api == "results"


@pytest.mark.parametrize(
    "field", ["endpoint", "views", "query_type", "sort_metric", "limit", "alternate_time_dimension"]
)
def test_a_tree_has_no_fields_of_the_other_contract(field: str) -> None:
    """A field that a group-tree host does not know would be without effect in silence."""
    value: object = {"limit": 3, "views": [], "sort_metric": {}}.get(field, "x")
    query = {"name": "tree", "metrics": ["conversationCount"], field: value}
    message = refused({**TREE, "queries": [query]})
    assert message.startswith(f"queries[0].{field}: ")
    assert "api: results" in message


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:8080"]
)
def test_plain_http_is_for_this_machine_alone(url: str) -> None:
    """A sandbox on the loopback needs no certificate."""
    assert Settings.read(config(base_url=url)).hosts.api == url


@pytest.mark.parametrize("name", [each.name for each in SETTINGS.values() if each.secret])
def test_no_secret_is_in_a_message(name: str) -> None:
    """Whatever is wrong with a secret, its value is not shown."""
    for value in (f"{SECRET}\x00", [SECRET], {"x": SECRET}):
        assert refused({**REQUIRED, name: value}).startswith(f"{name}: ")


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("P1D"),
    st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(),
    max_size=2),
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(list(SETTINGS)), ANYTHING, max_size=4),
    st.dictionaries(st.sampled_from(list(QUERY_FIELDS)), ANYTHING, max_size=4),
)
@examples(150)
def test_any_config_is_read_or_refused(changes: dict[str, object], query: dict[str, object]) -> None:
    """No config crashes the tap: it is read, or refused in one line that begins with a setting's name."""
    try:
        Settings.read({**REQUIRED, "queries": [{**QUERY, **query}], **changes})
    except SettingError as error:
        name = str(error).split(":")[0].removeprefix("queries[0].")
        assert name in SETTINGS or name in QUERY_FIELDS or str(error).startswith("query ")  # noqa: PT017
