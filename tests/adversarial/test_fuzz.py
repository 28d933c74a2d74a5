"""Whatever bytes or settings come in, they are read or refused with one of the tap's own errors."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS, SETTINGS
from tap_genesys_aggregates.core.errors import SettingError, TapError
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tests.adversarial.fuzz import FRAGMENTS, QUERIES, TARGETS, campaign, corpus, outcome
from tests.core.making import examples
from tests.dialects.responses import hour, results, rows, window

if TYPE_CHECKING:
    from pathlib import Path

_TREES = (
    {
        "entities": [
            {
                "id": "q1",
                "metrics": {"conversationCount": {"value": 3}},
                "groups": [
                    {
                        "id": hour(0),
                        "metrics": {"conversationCount": {"value": 1}, "handleDurationSum": None},
                        "groups": [],
                    },
                    {"id": hour(1), "metrics": None, "groups": None},
                ],
            },
            {"groups": [{"id": hour(2)}]},
        ],
        "links": {"next": "/x?pageNumber=2"},
    },
    {"entities": [{"id": hour(3), "groups": [{"id": "q1", "groups": [{"id": "voice"}]}]}]},
)
_RESULTS = {
    "results": [
        {
            "group": {"queueId": "q\u00e9\n1", "mediaType": None},
            "data": [
                {
                    "interval": f"{hour(0)}/{hour(1)}",
                    "metrics": [
                        {"metric": "tSystemPresence", "qualifier": "AWAY", "stats": {"count": 1, "sum": 2.5}},
                        {"metric": "nOffered", "stats": {"count": 3.0}},
                    ],
                    "views": None,
                },
                {"interval": "2023-11-01T02:00:00+01:00/2023-11-01T03:00:00+01:00"},
            ],
        }
    ]
}
_SAMPLES = tuple(json.dumps(each).encode() for each in (*_TREES, _RESULTS))
_REQUIRED = {"client_id": "c", "client_secret": "of-the-tests", "start_date": "2023-11-01T00:00:00Z"}
_QUERY = {"name": "calls", "metrics": ["nOffered"]}
_ODD = (
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
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(_ODD)
    | st.sampled_from(["nOffered", "queueId", "UTC", "PT30M", "P1D", "group_tree", "long", "async", "topN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_QUERY_LISTS = st.lists(
    st.dictionaries(st.sampled_from([*QUERY_FIELDS, "x"]), _VALUES, max_size=5), max_size=2
)


@st.composite
def _mutated_samples(draw: st.DrawFn) -> bytes:
    """A sample with some stretches replaced."""
    body = draw(st.sampled_from(_SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.sampled_from([0, 1, 2, 5, 24, 60]))
        body = body[:start] + draw(st.sampled_from(FRAGMENTS)) + body[end:]
    return body


def _read_by_every_reader(body: bytes) -> None:
    """Read by both dialects, down to the rows; only the tap's own errors are allowed."""
    for query in QUERIES.values():
        with suppress(TapError):
            rows(query, body)
    jobs = JobsDialect(results(jobs_path="/jobs", mode="async"))
    with suppress(TapError):
        jobs.job_path(jobs.read_submitted(body))
    with suppress(TapError):
        jobs.read_status(body)
    with suppress(TapError):
        list(jobs.read_results(body, window()).leaves)


@given(st.binary(max_size=300))
@examples(60)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Random bytes crash no reader."""
    _read_by_every_reader(body)


@given(_mutated_samples())
@examples(150)
def test_a_mutated_response_is_read_or_refused(body: bytes) -> None:
    """A mutated response crashes neither a reader nor the row maker behind it."""
    _read_by_every_reader(body)


def test_the_samples_are_valid_responses() -> None:
    """Mutating nonsense would prove nothing, so at least one dialect reads each sample."""
    assert len(rows(QUERIES["tree"], _SAMPLES[0])) == 3
    assert len(rows(QUERIES["tree of three levels"], _SAMPLES[1])) == 1
    assert len(rows(QUERIES["results by status"], _SAMPLES[2])) == 3
    assert len(rows(QUERIES["long results"], _SAMPLES[2])) == 2


@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.name)
def test_every_corpus_file_is_read_or_refused(path: Path) -> None:
    """In time; an error is one line, and rows are fit for JSON and a warehouse."""
    body = path.read_bytes()
    assert all(outcome(name, body).startswith(f"{name}: ") for name in TARGETS)


def test_every_target_reads_some_corpus_file() -> None:
    """A target that refuses everything would prove little."""
    outcomes = {outcome(name, path.read_bytes()) for path in corpus() for name in TARGETS}
    refused = ("Error", "no JSON", ": _")
    read = {each.split(":")[0] for each in outcomes if not any(word in each for word in refused)}
    read |= {each.split(":")[0] for each in outcomes if each.endswith(": _")}
    assert set(TARGETS) - read <= {"error"}


def test_a_short_campaign_finds_no_crash() -> None:
    """Two seconds with a fixed seed."""
    count, outcomes, crashes = campaign(2, seed=1)
    assert crashes == {}
    assert count > 10
    assert outcomes > 50


def _assert_short(line: str) -> None:
    assert len(line) <= 4_100
    assert line.isprintable()


def _read_settings(config: dict[str, Any]) -> None:
    """Read a config: an error is one short printable line, and an accepted query can be sent as JSON."""
    try:
        settings = Settings.read(config)
    except SettingError as error:
        _assert_short(str(error))
        return
    for query in settings.queries:
        json.dumps([query.filter, dict(query.extra), [view.wire for view in query.views]], allow_nan=False)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "x"]), _VALUES, max_size=5))
@examples(150)
def test_any_value_of_a_setting_is_read_or_refused(changes: dict[str, Any]) -> None:
    _read_settings({**_REQUIRED, **changes})


@given(_QUERY_LISTS, st.sampled_from(["results", "group_tree"]))
@examples(150)
def test_any_value_of_a_query_field_is_read_or_refused(queries: list[dict[str, Any]], api: str) -> None:
    """The other fields of the query are valid."""
    _read_settings({**_REQUIRED, "api": api, "queries": [{**_QUERY, **query} for query in queries]})


@pytest.mark.parametrize("field", [*QUERY_FIELDS])
@pytest.mark.parametrize("odd", [*_ODD, float("nan"), [[]], {"a": [{}]}], ids=lambda odd: repr(odd)[:12])
def test_every_field_survives_every_odd_value(field: str, odd: object) -> None:
    _read_settings({**_REQUIRED, "queries": [{**_QUERY, field: odd}]})


@pytest.mark.parametrize("name", [*SETTINGS, *QUERY_FIELDS])
def test_a_setting_nested_deeper_than_the_stack_is_refused(name: str) -> None:
    """A config that a program generates may be that deep."""
    deep: dict[str, Any] = {}
    innermost = deep
    for _ in range(5_000):
        innermost["a"] = {}
        innermost = innermost["a"]
    for config in ({**_REQUIRED, name: deep}, {**_REQUIRED, "queries": [{**_QUERY, name: deep}]}):
        with pytest.raises(SettingError):
            Settings.read(config)


def test_many_metrics_are_read_quickly() -> None:
    """Ten thousand names: each is compared once, not with every other."""
    _read_settings(
        {**_REQUIRED, "queries": [{**_QUERY, "metrics": [f"n{number}" for number in range(10_000)]}]}
    )


@pytest.mark.parametrize("host", ["a b", "a..b", ".a", "x" * 64, "@b", "a\u00a0b", "a\\@b"])
def test_an_impossible_host_is_refused(host: str) -> None:
    """No request is sent."""
    with pytest.raises(SettingError, match="base_url must be a URL"):
        Settings.read({**_REQUIRED, "base_url": f"https://{host}/"})


def test_a_user_agent_outside_ascii_is_refused() -> None:
    """No request is sent."""
    with pytest.raises(SettingError, match="user_agent must contain only ASCII"):
        Settings.read({**_REQUIRED, "user_agent": "\u00e9\u4e2d"})
