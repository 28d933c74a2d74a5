"""Settings: defaults, environment variables, and how the fields of a query are read."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.config.settings import Settings, from_environment
from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.periods import Period
from tests.http.fake_server import GATEWAY, REQUIRED, SECRET, UTC, one_query, settings

PLAIN = settings(queries=[{"name": "calls", "metrics": ["nOffered", "tHandle"]}])


def test_settings_have_the_documented_defaults() -> None:
    assert PLAIN.hosts.api == "https://api.mypurecloud.com"
    assert PLAIN.hosts.token == "https://login.mypurecloud.com/oauth/token"
    assert PLAIN.api == "results"
    assert PLAIN.start_date == datetime(2023, 11, 1, tzinfo=UTC)
    assert PLAIN.end_date is None
    assert (PLAIN.max_window, PLAIN.concurrency, PLAIN.requests_per_minute) == (
        Period("P31D", days=31),
        4,
        300,
    )
    assert (PLAIN.request_timeout, PLAIN.max_retries, PLAIN.user_agent) == (60, 5, "tap-genesys-aggregates")


def test_queries_have_the_documented_defaults() -> None:
    (query,) = PLAIN.queries
    assert (query.name, query.metrics, query.group_by) == ("calls", ("nOffered", "tHandle"), ())
    assert (query.endpoint, query.path) == (
        "conversations",
        "/api/v2/analytics/conversations/aggregates/query",
    )
    assert (query.window, query.lookback, query.page_size) == (Period("P1D", days=1), timedelta(days=7), 25)
    assert (query.zone, query.anchor, query.shape) == (ZoneInfo("UTC"), date(1970, 1, 5), "wide")
    assert (query.filter, query.views, query.extra) == (None, (), {})


def test_queries_default_to_the_presets_of_the_api() -> None:
    assert {query.api for query in settings().queries} == {"results"}
    (tree,) = settings(base_url=GATEWAY).queries
    assert tree.group_by == ("interval", "routing.queue.id")
    assert tree.metrics == ("conversationCount", "handleDurationSum", "wrapupDurationSum")
    assert (tree.granularity.text, tree.path) == ("PT1H", "/api/v2/analytics/conversations/aggregate/query")


def test_lookback_and_window_of_a_query_override_the_config_for_that_query() -> None:
    mine = {"name": "mine", "metrics": ["nOffered"], "lookback_days": 0.5, "window": "P3D"}
    other = {"name": "other", "metrics": ["nOffered"]}
    first, second = settings(queries=[mine, other], lookback_days=3, window="P2D").queries
    assert (first.lookback, first.window.text) == (timedelta(hours=12), "P3D")
    assert (second.lookback, second.window.text) == (timedelta(days=3), "P2D")


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, 7),
        ({"endpoint": "resolutions", "metrics": ["nResolutions"]}, 10),
        ({"endpoint": "resolutions", "metrics": ["nResolutions"], "lookback_days": 4}, 4),
    ],
)
def test_the_default_lookback_covers_the_time_that_a_family_takes_to_settle(
    query: dict[str, object], days: int
) -> None:
    (found,) = settings(**one_query(**query)).queries
    assert found.lookback == timedelta(days=days)


def test_the_anchor_is_a_monday_long_ago_whatever_the_start_date() -> None:
    """A run with another start date must not cut other weeks."""
    config = {**one_query(time_zone="Europe/Berlin"), "start_date": "2023-10-31T23:00:00Z"}
    (query,) = settings(**config).queries
    assert query.anchor == date(1970, 1, 5)
    (query,) = settings(**one_query(anchor="2024-02-29")).queries
    assert query.anchor == date(2024, 2, 29)


def test_on_query_change_is_set_for_all_queries_and_overridden_by_one() -> None:
    both = [{"name": "a", "metrics": ["nX"]}, {"name": "b", "metrics": ["nX"], "on_query_change": "reload"}]
    assert [query.on_change for query in settings(queries=both).queries] == ["stop", "reload"]
    changed = settings(queries=both, on_query_change="continue").queries
    assert [query.on_change for query in changed] == ["continue", "reload"]


def test_fields_that_are_sent_unchanged_get_the_names_of_the_api() -> None:
    (query,) = settings(
        **one_query(
            flatten_multivalued_dimensions=True,
            query_type="topN",
            sort_metric={"name": "nOffered", "function": "count"},
            limit=5,
            endpoint="agentcopilots",
        )
    ).queries
    assert query.extra == {
        "flattenMultivaluedDimensions": True,
        "queryType": "topN",
        "sortMetric": {"name": "nOffered", "function": "count"},
        "limit": 5,
    }


def test_a_query_with_a_path_accepts_any_dimension_and_metric() -> None:
    (query,) = settings(
        **one_query(path="/api/v2/analytics/new/aggregates/query", group_by=["newId"])
    ).queries
    assert (query.path, query.endpoint) == ("/api/v2/analytics/new/aggregates/query", None)
    assert query.dimensions == ("newId",)


def test_unknown_metrics_and_dimensions_are_accepted() -> None:
    """The API gets new ones with every release."""
    (query,) = settings(**one_query(metrics=["nBrandNew"], group_by=["brandNewId"])).queries
    assert (query.metrics, query.group_by) == (("nBrandNew",), ("brandNewId",))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("concurrency", "2", 2),
        ("requests_per_minute", "60", 60),
        ("request_timeout", "2.5", 2.5),
        ("max_retries", "0", 0),
    ],
)
def test_numbers_may_be_given_as_text(name: str, text: str, expected: float) -> None:
    """Environment variables are text."""
    assert getattr(settings(**{name: text}), name) == expected


def test_queries_may_be_given_as_json_text() -> None:
    """Environment variables are text."""
    assert [
        each.name for each in settings(queries='[{"name": "calls", "metrics": ["nOffered"]}]').queries
    ] == ["calls"]


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_is_read_from_the_environment(name: str) -> None:
    """``TAP_GENESYS_AGGREGATES_<NAME>`` sets a setting; a value in the config takes precedence."""
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": "from the environment"}
    assert from_environment({}, variables) == {name: "from the environment"}
    assert from_environment({name: None}, variables) == {name: "from the environment"}
    assert from_environment({name: "from the config"}, variables) == {name: "from the config"}


@pytest.mark.parametrize("name", ["client_id", "client_secret", "base_url", "region"])
def test_short_variables_are_read_if_neither_the_config_nor_the_long_name_is_set(name: str) -> None:
    """``GENESYS_CLIENT_ID`` and so on."""
    short, long = f"GENESYS_{name.upper()}", f"TAP_GENESYS_AGGREGATES_{name.upper()}"
    assert from_environment({}, {short: "short"}) == {name: "short"}
    assert from_environment({}, {short: "short", long: "long"}) == {name: "long"}
    assert from_environment({name: "from the config"}, {short: "short", long: "long"}) == {
        name: "from the config"
    }
    assert from_environment({}, {short: ""}) == {}


def test_other_variables_are_ignored() -> None:
    assert from_environment(REQUIRED, {"GENESYS_WINDOW": "P2D", "REGION": "x", "PATH": "/bin"}) == REQUIRED


def test_variables_are_those_of_the_process_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENESYS_CLIENT_ID", "from the process")
    assert from_environment({})["client_id"] == "from the process"


def test_the_repr_of_settings_does_not_contain_the_secret() -> None:
    assert SECRET not in repr(settings())
    assert settings().client_secret == SECRET


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-01",
        " 2026-01-01 ",
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        date(2026, 1, 1),
        datetime(2026, 1, 1),  # noqa: DTZ001  # as YAML reads it
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
    ids=str,
)
def test_a_date_may_be_text_or_a_date_of_yaml(written: object) -> None:
    """A date alone is midnight UTC, and so is a date-time without an offset."""
    assert settings(start_date=written).start_date == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_anchor_may_be_a_date_of_yaml() -> None:
    (query,) = Settings.read(one_query(anchor=date(2026, 1, 5))).queries
    assert query.anchor == date(2026, 1, 5)


def test_a_single_name_counts_as_a_list_of_one() -> None:
    changes = {"group_by": "queueId", "metrics": "tHandle", "statistics": {"tHandle": "sum"}}
    (query,) = Settings.read(one_query(**changes)).queries
    assert (query.group_by, query.metrics) == (("queueId",), ("tHandle",))
    assert query.statistics == {"tHandle": ("sum",)}


@pytest.mark.parametrize(
    "written",
    [
        ["queue_performance"],
        "queue_performance",
        '["queue_performance"]',
        [{"preset": "queue_performance"}],
    ],
)
def test_the_name_of_a_preset_counts_as_its_query(written: object) -> None:
    """Also as text in a variable: ``TAP_GENESYS_AGGREGATES_QUERIES=queue_performance``."""
    (query,) = settings(queries=written).queries
    assert query == settings(queries=[{"preset": "queue_performance"}]).queries[0]


def test_true_and_false_may_be_text() -> None:
    for written, expected in (("true", True), ("False", False), (True, True)):
        (query,) = Settings.read(one_query(flatten_multivalued_dimensions=written)).queries
        assert query.extra == {"flattenMultivaluedDimensions": expected}
