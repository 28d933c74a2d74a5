"""The config of a user: defaults, environment, and what it means."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tap_genesys_aggregates.config.settings import from_environment
from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.periods import Period
from tests.http.fake_server import GATEWAY, REQUIRED, SECRET, UTC, one_query, settings

PLAIN = settings(queries=[{"name": "calls", "metrics": ["nOffered", "tHandle"]}])


def test_every_default_is_the_contracts() -> None:
    """A config of what is required gives the defaults of settings.md."""
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


def test_every_default_of_a_query_is_the_contracts() -> None:
    """A query of a name and metrics has the defaults of settings.md."""
    (query,) = PLAIN.queries
    assert (query.name, query.metrics, query.group_by) == ("calls", ("nOffered", "tHandle"), ())
    assert (query.endpoint, query.path) == (
        "conversations",
        "/api/v2/analytics/conversations/aggregates/query",
    )
    assert (query.window, query.lookback, query.page_size) == (Period("P1D", days=1), timedelta(days=7), 25)
    assert (query.zone, query.anchor, query.shape) == (ZoneInfo("UTC"), date(2023, 11, 1), "wide")
    assert (query.filter, query.views, query.extra) == (None, (), {})


def test_without_queries_the_presets_of_the_api_are_asked() -> None:
    """``queries`` left out means the presets, those of the contract that is spoken."""
    assert {query.api for query in settings().queries} == {"results"}
    (tree,) = settings(base_url=GATEWAY).queries
    assert tree.group_by == ("interval", "routing.queue.id")
    assert tree.metrics == ("conversationCount", "handleDurationSum", "wrapupDurationSum")
    assert (tree.granularity.text, tree.path) == ("PT1H", "/api/v2/analytics/conversations/aggregate/query")


def test_a_querys_own_fields_win() -> None:
    """Look-back and window of a query override those of the config, for this query alone."""
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
def test_the_look_back_is_as_long_as_history_changes(query: dict[str, object], days: int) -> None:
    """Seven days, ten for resolutions, unless the user says otherwise."""
    (found,) = settings(**one_query(**query)).queries
    assert found.lookback == timedelta(days=days)


def test_weeks_are_anchored_at_the_local_date_of_the_start() -> None:
    """Midnight in Berlin is the day before in UTC: the anchor is Berlin's date."""
    config = {**one_query(time_zone="Europe/Berlin"), "start_date": "2023-10-31T23:00:00Z"}
    (query,) = settings(**config).queries
    assert query.anchor == date(2023, 11, 1)


def test_what_is_sent_as_it_is_keeps_its_name_on_the_wire() -> None:
    """Fields of the API are sent under the API's own names."""
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


def test_a_path_is_for_a_family_that_is_not_known_yet() -> None:
    """With ``path`` no family is asked about its names: any dimension and metric goes."""
    (query,) = settings(
        **one_query(path="/api/v2/analytics/new/aggregates/query", group_by=["newId"])
    ).queries
    assert (query.path, query.endpoint) == ("/api/v2/analytics/new/aggregates/query", None)
    assert query.dimensions == ("newId",)


def test_names_that_this_version_does_not_know_are_taken() -> None:
    """Names grow between releases: an unknown metric or dimension is never refused."""
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
def test_numbers_may_come_as_text(name: str, text: str, expected: float) -> None:
    """An environment variable is a text; it is read as the number it holds."""
    assert getattr(settings(**{name: text}), name) == expected


def test_queries_may_come_as_text() -> None:
    """An environment variable gives the queries as JSON."""
    assert [
        each.name for each in settings(queries='[{"name": "calls", "metrics": ["nOffered"]}]').queries
    ] == ["calls"]


@pytest.mark.parametrize("name", list(SETTINGS))
def test_every_setting_is_read_from_the_environment(name: str) -> None:
    """``TAP_GENESYS_AGGREGATES_<NAME>`` sets each setting; a config that has it wins."""
    variables = {f"TAP_GENESYS_AGGREGATES_{name.upper()}": "from outside"}
    assert from_environment({}, variables) == {name: "from outside"}
    assert from_environment({name: None}, variables) == {name: "from outside"}
    assert from_environment({name: "inside"}, variables) == {name: "inside"}


@pytest.mark.parametrize("name", ["client_id", "client_secret", "base_url", "region"])
def test_the_short_variables_work_too(name: str) -> None:
    """``GENESYS_CLIENT_ID`` and its like are read, behind the config and the long name."""
    short, long = f"GENESYS_{name.upper()}", f"TAP_GENESYS_AGGREGATES_{name.upper()}"
    assert from_environment({}, {short: "short"}) == {name: "short"}
    assert from_environment({}, {short: "short", long: "long"}) == {name: "long"}
    assert from_environment({name: "inside"}, {short: "short", long: "long"}) == {name: "inside"}
    assert from_environment({}, {short: ""}) == {}


def test_other_variables_are_none_of_our_business() -> None:
    """Nothing else in the environment gets into the config."""
    assert from_environment(REQUIRED, {"GENESYS_WINDOW": "P2D", "REGION": "x", "PATH": "/bin"}) == REQUIRED


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told where to look, the variables of the process are read."""
    monkeypatch.setenv("GENESYS_CLIENT_ID", "from the process")
    assert from_environment({})["client_id"] == "from the process"


def test_the_secret_is_not_shown() -> None:
    """``repr`` of the settings, as a log or a debugger shows it, has no secret."""
    assert SECRET not in repr(settings())
    assert settings().client_secret == SECRET
