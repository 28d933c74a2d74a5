"""The setting ``organization``: a key column in every table, and nothing at all if it is not set."""

from __future__ import annotations

import itertools
import logging
from datetime import datetime, timezone
from typing import Any

import pytest
from click.testing import CliRunner

from genesys_sandbox import Options, Sandbox, SettableClock
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import Outcome, config, run

NOW = datetime(2026, 3, 10, 5, tzinfo=timezone.utc)
CALLS = {"name": "calls", "metrics": ["nOffered", "tHandle"], "group_by": ["queueId"], "granularity": "PT1H"}
VIEW = {"name": "short", "target": "tHandle", "function": "rangeBound", "range": {"gte": 0, "lt": 60_000}}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "blocks": ("results", {}),
    "leaves": ("results", {"views": [VIEW]}),
    "long rows": ("results", {"shape": "long"}),
    "group tree": (
        "group_tree",
        {"group_by": ["interval", "routing.queue.id"], "metrics": ["conversationCount"]},
    ),
}


def sandbox(**options: Any) -> Sandbox:
    return Sandbox(Options(volume=0.05, **options), now=SettableClock(NOW))


def settings(shape: str = "blocks", **changes: Any) -> dict[str, Any]:
    api, fields = SHAPES[shape]
    return config(api=api, start_date="2026-03-08T00:00:00Z", queries=[{**CALLS, **fields}], **changes)


def load(served: Sandbox, wanted: dict[str, Any], **run_arguments: Any) -> Outcome:
    outcome = run(served, wanted, **run_arguments)
    assert outcome.error is None, outcome.error
    return outcome


def streams(outcome: Outcome) -> set[str]:
    return {each["stream"] for each in outcome.messages if each["type"] == "RECORD"}


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_first_key_column_of_every_row_and_changes_nothing_else(shape: str) -> None:
    without, with_name = (load(sandbox(), settings(shape, **each)) for each in ({}, {"organization": "acme"}))
    for stream in ("calls", "extractions"):
        plain = without.rows(stream)
        assert plain
        assert "organization" not in plain[0]
        named = with_name.rows(stream)
        assert [list(each.items()) for each in named] == [
            list({"organization": "acme", **each}.items()) for each in plain
        ]
    for message in with_name.messages:
        if message["type"] == "SCHEMA":
            assert message["key_properties"][0] == "organization"
            assert next(iter(message["schema"]["properties"])) == "organization"
            assert message["schema"]["properties"]["organization"]["type"] == ["string"]


def test_it_is_a_key_column_of_lookups_too() -> None:
    wanted = settings(organization="acme")
    catalog = TapGenesysAggregates(config=wanted).catalog_dict
    for stream in catalog["streams"]:
        for each in stream["metadata"]:
            if not each["breadcrumb"]:
                each["metadata"]["selected"] = True
    outcome = load(sandbox(), wanted, catalog=catalog)
    assert {"calls", "extractions", "queues", "users"} <= streams(outcome)
    keys = {each["stream"]: each["key_properties"] for each in outcome.messages if each["type"] == "SCHEMA"}
    assert keys["queues"] == ["organization", "id"]
    assert {row["organization"] for row in outcome.rows("queues")} == {"acme"}
    # A target would delete the rows of the other organizations in this table.
    assert not [each for each in outcome.messages if each["type"] == "ACTIVATE_VERSION" or "version" in each]


REFUSED = {
    "set": ({}, {"organization": "acme"}, "was not set and is 'acme'. A target cannot change the key"),
    "unset": ({"organization": "acme"}, {}, "was 'acme' and is not set. A target cannot change the key"),
    "another": (
        {"organization": "acme"},
        {"organization": "globex"},
        "is that of organization 'acme', not of 'globex'. Give each organization a state of its own",
    ),
}


@pytest.mark.parametrize("mode", ["stop", "continue", "reload"])
@pytest.mark.parametrize("change", REFUSED)
def test_a_state_without_this_organization_is_refused_before_any_request(change: str, mode: str) -> None:
    before, after, told = REFUSED[change]
    state = load(sandbox(), settings(**before)).state
    served = sandbox()
    outcome = run(served, settings(**after, on_query_change=mode), state=state)
    assert isinstance(outcome.error, SettingError)
    assert told in str(outcome.error)
    assert (served.log, outcome.messages) == ([], [])


def test_a_state_from_before_states_knew_their_query_is_refused_when_it_is_set() -> None:
    """The table that belongs to it has no such column."""
    state = {"bookmarks": {"calls": {"replication_key_value": "2026-03-09T00:00:00.000Z"}}}
    outcome = run(sandbox(), settings(organization="acme"), state=state)
    assert "has another primary key than its table" in str(outcome.error)
    load(sandbox(), settings(), state=state)


@pytest.mark.parametrize("change", ["set", "unset", "another"])
def test_each_fix_that_the_message_names_works(change: str) -> None:
    """A state of its own, which at first is none."""
    load(sandbox(), settings(**REFUSED[change][1]))


def test_the_name_on_the_platform_is_logged_once_and_another_id_warns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wanted = settings(organization="acme")
    with caplog.at_level(logging.INFO):
        first = sandbox()
        state = load(first, wanted).state
    lines = [each.getMessage() for each in caplog.records if "organization" in each.getMessage()]
    assert len(lines) == 1
    assert lines[0].startswith("organization 'acme' is 'Sandbox Ltd' on the platform, with the id ")
    assert [each.path for each in first.log].count("/api/v2/organizations/me") == 1
    caplog.clear()
    assert load(sandbox(), wanted, state=state).state["organization_id"] == state["organization_id"]
    assert "The state was written for" not in caplog.text
    for _ in range(2):  # in every run, until somebody decides
        state = load(sandbox(seed=8), wanted, state=state).state
        assert f"written for the organization with the id {state['organization_id']}" in caplog.text
        caplog.clear()
    del state["organization_id"]  # what the warning says
    load(sandbox(seed=8), wanted, state=state)
    assert "The state was written for" not in caplog.text


@pytest.mark.parametrize("options", [{"organization": None}, {"forbidden": frozenset({"/api/v2/organ"})}])
def test_a_platform_that_does_not_tell_its_name_is_no_problem(options: dict[str, Any]) -> None:
    outcome = load(sandbox(**options), settings(organization="acme"))
    assert "organization_id" not in outcome.state


def test_without_the_setting_nobody_asks_for_the_name() -> None:
    served = sandbox()
    assert "organization_id" not in load(served, settings()).state
    assert not [each for each in served.log if "organizations" in each.path]


def test_the_connection_test_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_genesys_aggregates.tap.platform_organization", lambda _: None)
    monkeypatch.setattr("tap_genesys_aggregates.tap.report", lambda _: iter([(True, "calls: ok")]))
    for name, value in settings(organization="acme").items():
        text = value if isinstance(value, str) else str(value).replace("'", '"')
        monkeypatch.setenv(f"TAP_GENESYS_AGGREGATES_{name.upper()}", text)
    result = CliRunner().invoke(TapGenesysAggregates.cli, ["--config", "ENV", "--test"])
    assert result.output.splitlines()[-2:] == ["organization 'acme'", "calls: ok"]


@pytest.mark.parametrize("name", ["", " acme", "acme ", "a\nb", "x" * 101])
def test_a_name_that_would_be_a_bad_key_is_refused(name: str) -> None:
    outcome = run(sandbox(), settings(organization=name))
    assert "organization" in str(outcome.error)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["blocks", "long rows", "group tree"])
def test_a_settled_month_has_the_fingerprint_that_it_has_without(shape: str) -> None:
    """A look at a month compares what the API returns, and that has no organization."""
    found = []
    for each in ({}, {"organization": "acme"}):
        wanted = {**settings(shape, **each), "start_date": "2026-01-01", "recheck_requests": 3}
        state = load(sandbox(), wanted).state
        found.append(state["bookmarks"]["calls"]["rechecks"]["months"])
    assert found[0]
    assert found[0] == found[1]


def test_two_organizations_have_no_key_in_common() -> None:
    found = [load(sandbox(), settings(organization=name)) for name in ("acme", "globex")]
    for one, other in itertools.pairwise(found):
        for stream in ("calls", "extractions"):
            keys = next(e["key_properties"] for e in one.messages if e.get("stream") == stream)
            first, second = (
                {tuple(row[k] for k in keys) for row in each.rows(stream)} for each in (one, other)
            )
            assert first
            assert first.isdisjoint(second)
