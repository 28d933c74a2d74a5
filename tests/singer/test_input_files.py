"""Malformed configs, states and catalogs are one line each, which says what to do and shows no value."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from genesys_sandbox import Sandbox
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.singer.input_files import read_json_object
from tap_genesys_aggregates.singer.sdk_settings import config_input
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import config, run

if TYPE_CHECKING:
    from pathlib import Path

QUERY = {"name": "calls", "metrics": ["nOffered"], "group_by": ["queueId"]}
SETTINGS = config(queries=[QUERY])
NEW_CATALOG = "Make a new one with --discover, or leave --catalog out to select all streams"
STATE = "Pass the value of the last STATE message of an earlier run, or leave --state out to load everything"
KEYS = '["interval_start", "queue_id", "media_type"]'


def refused(**given: Any) -> str:
    """The one line with which the tap refuses what it is given, before any request."""
    with pytest.raises(SettingError) as error:
        TapGenesysAggregates(**{"config": SETTINGS, **given})
    line = str(error.value)
    assert len(line) < 1_000
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{", "is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (
            '{"client_secret": "s3cr3t-s3cr3t"',
            "is not valid JSON: Expecting ',' delimiter at line 1, column 34",
        ),
        ("client_secret: s3cr3t-s3cr3t\n", "is not valid JSON: Expecting value at line 1, column 1"),
        (
            '"a": 1',
            "is not valid JSON: Extra data at line 1, column 4; it looks like YAML, so convert it to JSON",
        ),
        ("---\na: 1", "is not valid JSON: Expecting value at line 1, column 1; it looks like YAML"),
        ("# x\n\n- a: 1", "is not valid JSON: Expecting value at line 1, column 1; it looks like YAML"),
        ("export A=1", "is not valid JSON: Expecting value at line 1, column 1; it looks like a file of env"),
        ('{"a": 1}\n{"a": 2}', "contains more than one JSON value, the second at line 2, column 1"),
        ("{} x", "is not valid JSON: Extra data at line 1, column 4. "),
        ("\0", "is not valid JSON"),
        (b"\xff\xfe{\0}\0", "is not encoded in UTF-8"),
        ("[]", "must contain a JSON object, not a list"),
        ("5", "must contain a JSON object, not a number"),
        ("true", "must contain a JSON object, not true or false"),
        ("null", "must contain a JSON object, not null"),
        ('"s3cr3t-s3cr3t"', "must contain a JSON object, not a string"),
        ('{"x": ' + "9" * 5_000 + "}", "contains a number that is too long, or NaN or Infinity"),
        ('{"x": NaN}', "contains a number that is too long, or NaN or Infinity"),
        ('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "is nested too deeply"),
        (b" " * ((64 << 20) + 1), "is larger than 64 MiB"),
    ],
    ids=range(22),
)
@pytest.mark.parametrize("option", ["--config", "--state", "--catalog"])
def test_a_file_that_holds_no_json_object_is_refused(
    content: str | bytes, problem: str, option: str, tmp_path: Path
) -> None:
    """Each of these ended in a traceback."""
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingError) as error:
        read_json_object(str(path), option)
    line = str(error.value)
    assert line.startswith(f"{option}: the file {str(path)!r} {problem}")
    assert "s3cr3t" not in line


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    for path, problem in (
        (str(tmp_path / "none"), f"the file '{tmp_path}/none' cannot be read: No such file or directory."),
        (str(tmp_path), f"the file '{tmp_path}' cannot be read: Is a directory."),
        ("x" * 9_999, f"the file '{'x' * 200}' cannot be read: File name too long."),
        ("a\0b", "the file 'a\\x00b' does not exist."),
        ('{"client_secret": "s3cr3t-s3cr3t"}', "must be the path of a file, not JSON."),
    ):
        with pytest.raises(SettingError) as error:
            config_input((path,))
        assert str(error.value).startswith(f"--config: {problem}")
        assert "s3cr3t" not in str(error.value)


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "config.json"
    path.write_text('{"a": 1.5}', encoding="utf-8-sig")
    assert config_input((str(path), "ENV")).config == {"a": 1.5}


def test_later_files_take_precedence(tmp_path: Path) -> None:
    for name, content in (("one", '{"a": 1, "b": 1}'), ("two", '{"b": 2}')):
        (tmp_path / name).write_text(content, "utf-8")
    given = config_input((str(tmp_path / "one"), str(tmp_path / "two")))
    assert (given.config, given.parse_env) == ({"a": 1, "b": 2}, False)


def calls(**bookmark: object) -> dict[str, Any]:
    return {"bookmarks": {"calls": bookmark}}


UNREADABLE = "The state of stream 'calls' cannot be read: "


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ({"x": 1}, f"--state: it must have bookmarks. {STATE}"),
        ({"type": "STATE", "value": {}}, "--state: it must have bookmarks; pass only the value of 'value'"),
        ({"singer_state": {}}, "--state: it must have bookmarks; pass only the value of 'singer_state'"),
        ({"bookmarks": None}, f"--state: bookmarks must be an object, not null. {STATE}"),
        ({"bookmarks": []}, f"--state: bookmarks must be an object, not a list. {STATE}"),
        ({"bookmarks": 5}, f"--state: bookmarks must be an object, not a number. {STATE}"),
        ({"bookmarks": {"calls": None}}, f"--state: bookmarks.calls must be an object, not null. {STATE}"),
        ({"bookmarks": {"other": "x"}}, f"--state: bookmarks.other must be an object, not a string. {STATE}"),
        (calls(progress_markers=5), "--state: bookmarks.calls.progress_markers must be an object"),
        (calls(partitions=[{}]), "--state: bookmarks.calls.partitions must be empty"),
        (calls(partitions=5), "--state: bookmarks.calls.partitions must be empty"),
        (calls(replication_key_value=5), UNREADABLE + "'5' is not an ISO 8601 date-time"),
        (calls(replication_key_value="9" * 5_000), UNREADABLE + f"'{'9' * 60}' is not an ISO 8601 date-time"),
        (calls(replication_key_value={}), UNREADABLE + "'{}' is not an ISO 8601 date-time"),
        (calls(final_before=True), UNREADABLE + "'True' is not an ISO 8601 date-time"),
        (calls(earlier=5), UNREADABLE + "earlier is not a list of strings"),
        (calls(with_rows=[None]), UNREADABLE + "with_rows is not a list of strings"),
        (calls(query=[]), UNREADABLE + "query is not an object"),
        (calls(metrics_without_history={}), UNREADABLE + "metrics_without_history is not a list of strings"),
    ],
)  # fmt: skip
def test_a_malformed_state_is_refused_before_any_request(state: dict[str, Any], line: str) -> None:
    """Each of these ended in a traceback, or after the first requests."""
    assert refused(state=state).startswith(line)


@pytest.mark.parametrize(
    "state", [{}, {"bookmarks": {}}, {"bookmarks": {"gone": {"x": 5}}}, calls(replication_key_value=None)]
)
def test_a_state_without_a_bookmark_is_accepted(state: dict[str, Any]) -> None:
    assert TapGenesysAggregates(config=SETTINGS, state=state).settings.queries


def changed(**changes: object) -> dict[str, Any]:
    """The catalog of discovery, with changes to the stream of the query."""
    catalog: dict[str, Any] = json.loads(TapGenesysAggregates(config=SETTINGS).catalog_json_text)
    stream = next(each for each in catalog["streams"] if each["tap_stream_id"] == "calls")
    stream.update(changes)
    if changes.get("key_properties", [0]) in ([], None):
        stream["metadata"] = []  # which has the keys too
    catalog["streams"] = [stream]
    return catalog


@pytest.mark.parametrize(
    ("catalog", "line"),
    [
        ({}, "it must have a list of streams"),
        ({"streams": None}, "it must have a list of streams"),
        ({"streams": [5]}, "streams[0] must be an object with a tap_stream_id"),
        ({"streams": [{}]}, "streams[0] must be an object with a tap_stream_id"),
        (changed(key_properties=5), "streams[0].key_properties must be a list of columns"),
        (changed(schema=5), "streams[0].schema must be an object"),
        (changed(schema={"properties": 5}), "the schema of a stream is not a JSON schema"),
        (changed(metadata=None), "streams[0].metadata must be a list of objects with breadcrumb"),
        (changed(metadata=[5]), "streams[0].metadata must be a list of objects with breadcrumb and metadata"),
        (changed(metadata=[{"breadcrumb": [[]], "metadata": {}}]), "streams[0].metadata must be a list of"),
        (changed(stream="other"), "streams[0].stream must be the same as its tap_stream_id"),
    ],
)  # fmt: skip
def test_a_malformed_catalog_is_refused(catalog: dict[str, Any], line: str) -> None:
    message = refused(catalog=catalog)
    assert message.startswith(f"--catalog: {line}")
    assert message.endswith(NEW_CATALOG)


@pytest.mark.parametrize(
    ("catalog", "line"),
    [
        (changed(key_properties=[]), f"stream 'calls' has key_properties [] instead of {KEYS}, so rows"),
        (changed(key_properties=None), f"stream 'calls' has key_properties [] instead of {KEYS}"),
        (changed(key_properties=["id"]), f"stream 'calls' has key_properties [\"id\"] instead of {KEYS}"),
        (changed(schema={}), "the schema of stream 'calls' lacks interval_start, media_type, queue_id"),
    ],
)  # fmt: skip
def test_a_catalog_with_another_key_refuses_its_query(catalog: dict[str, Any], line: str) -> None:
    """With ``key_properties: []`` the target appended rows instead of replacing them.

    Only this query is refused: tests/pipeline/test_changed_queries.py shows that the others load.
    """
    outcome = run(Sandbox(now=lambda: datetime(2026, 3, 9, tzinfo=timezone.utc)), SETTINGS, catalog=catalog)
    assert str(outcome.error).startswith(f"--catalog: {line}")
    assert str(outcome.error).endswith(NEW_CATALOG)
    assert not [message for message in outcome.messages if message["type"] in {"SCHEMA", "RECORD"}]


def test_the_catalog_of_discovery_is_accepted() -> None:
    assert list(TapGenesysAggregates(config=SETTINGS, catalog=changed()).catalog) == ["calls"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"stream_maps": 5}, "stream_maps: 5 is not of type 'object', 'null'"),
        ({"stream_maps": {"calls": 5}}, "stream_maps: 5 is not valid under any of the given schemas"),
        ({"stream_maps": {"calls": {"x": "("}}}, "stream_maps cannot be applied (MapExpressionError: "),
        ({"stream_maps": {"__else__": 5}}, "stream_maps cannot be applied (StreamMapConfigError: "),
        ({"stream_map_config": "x"}, "stream_map_config: 'x' is not of type 'object', 'null'"),
        ({"flattening_max_depth": "x"}, "flattening_max_depth: 'x' is not of type 'integer', 'null'"),
    ],
)
def test_a_malformed_setting_of_the_sdk_is_refused(changes: dict[str, Any], line: str) -> None:
    """Each of these ended in a traceback."""
    with pytest.raises((SettingError, ConfigValidationError)) as error:
        TapGenesysAggregates(config={**SETTINGS, **changes})
    assert str(error.value).startswith(line)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("CONCURRENCY", "abc", "concurrency must be a whole number from 1 to 16, not 'abc'"),
        ("QUERIES", "[", "queries must be valid JSON if it is given as text"),
        ("STREAM_MAPS", "{", "TAP_GENESYS_AGGREGATES_STREAM_MAPS is not valid. "),
        ("FLATTENING_MAX_DEPTH", "x", "TAP_GENESYS_AGGREGATES_FLATTENING_MAX_DEPTH is not valid. "),
    ],
)
def test_a_malformed_variable_is_refused(
    name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these ended in a traceback."""
    monkeypatch.setitem(os.environ, f"TAP_GENESYS_AGGREGATES_{name}", value)
    with pytest.raises((SettingError, ConfigValidationError)) as error:
        TapGenesysAggregates(config=dict(SETTINGS), parse_env_config=True)
    assert str(error.value).startswith(line)


def test_a_variable_takes_precedence_over_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAP_GENESYS_AGGREGATES_CONCURRENCY", "7")
    monkeypatch.setenv("TAP_GENESYS_AGGREGATES_MAX_RETRIES", "")
    tap = TapGenesysAggregates(config={**SETTINGS, "concurrency": 3}, parse_env_config=True)
    assert tap.settings.concurrency == 7
