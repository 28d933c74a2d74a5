"""No secret reaches output, logs, errors or files, whatever the command does and a server sends back."""

from __future__ import annotations

import base64
import json
import multiprocessing
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core import redaction
from tap_genesys_aggregates.core.errors import TapError
from tests.adversarial.leaks import ECHOES, HARMLESS_ECHOES, MESSAGE_ECHOES, leaked, token_echo
from tests.adversarial.server import Server, one_row
from tests.adversarial.tap_run import CLIENT, SECRET, TREE_QUERY, CommandResult, config, run_command
from tests.core.making import examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.adversarial.server import Reply, Request

_ROOT = Path(__file__).parents[2]
_NOWHERE = "https://gateway.invalid"
_INVALID_CONFIGS: dict[str, dict[str, Any]] = {
    "a secret in a list": {"client_secret": [SECRET]},
    "a secret in an object": {"client_secret": {"secret": SECRET}},
    "a secret with a line break": {"client_secret": f"{SECRET}\n"},
    "a number as the secret": {"client_secret": 5},
    "an unknown setting": {"client_secrets": SECRET},
    "an invalid date": {"start_date": "yesterday"},
    "an invalid URL": {"base_url": "ftp://x"},
    "plain http": {"base_url": "http://gateway.example.com"},
    "an invalid query": {"queries": [{**TREE_QUERY, "metrics": []}]},
    "queries that are not a list": {"queries": {"client_secret": SECRET}},
}


@pytest.fixture(autouse=True)
def _known_secret() -> None:
    redaction.remember_client(CLIENT, SECRET)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder, the home directory of the run."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def _run(
    home: Path, settings: object, *arguments: str, variables: Mapping[str, str] | None = None
) -> CommandResult:
    """Run the command with a config and check that no secret comes out anywhere."""
    path = home.parent / "config.json"
    path.write_text(settings if isinstance(settings, str) else json.dumps(settings), encoding="utf-8")
    result = run_command(home, "--config", str(path), *arguments, variables=variables)
    assert leaked(result.text) == [], result.text[-3000:]
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [(), ("--discover",), ("--test",), ("--test=schema",), ("--about",), ("--about", "--format=json")],
)
def test_a_successful_command_prints_no_secret(home: Path, arguments: tuple[str, ...]) -> None:
    """Neither secret nor token is in the rows, state, schema, catalog or log."""
    with Server(one_row).listening() as origin:
        result = _run(home, config(origin), *arguments)
    assert result.status == 0, result.text[-2000:]
    assert "calls" in result.text or "--about" in arguments
    assert ('"RECORD"' in result.text) == (arguments == ())


@pytest.mark.slow
def test_a_failing_connection_test_prints_no_token(home: Path) -> None:
    """``--test`` prints the server's message without the token in it."""
    with Server(token_echo(MESSAGE_ECHOES["a message with 403"])).listening() as origin:
        result = _run(home, config(origin), "--test")
    assert result.status == 1
    assert "***" in result.text


@pytest.mark.slow
@pytest.mark.parametrize("name", _INVALID_CONFIGS)
@pytest.mark.parametrize("arguments", [(), ("--discover",), ("--test",)])
def test_an_invalid_config_is_not_printed(home: Path, name: str, arguments: tuple[str, ...]) -> None:
    """The message names the setting, not its value."""
    result = _run(home, {**config(_NOWHERE), **_INVALID_CONFIGS[name]}, *arguments)
    assert result.status == 1
    assert "Traceback" not in result.text


_NOT_JSON = [
    json.dumps(config(_NOWHERE))[:-1],
    f'["{SECRET}"',
    f'["{SECRET}"]',
    "",
    "\0",
    f"client_secret: {SECRET}",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", _NOT_JSON)
@pytest.mark.parametrize("arguments", [(), ("--discover",), ("--test",)])
def test_a_config_that_is_not_json_is_one_line_without_it(
    home: Path, text: str, arguments: tuple[str, ...]
) -> None:
    """For example a truncated file."""
    result = _run(home, text, *arguments)
    assert (result.status, result.text.count("\n")) == (1, 1), result.text


@pytest.mark.slow
def test_a_config_on_the_command_line_is_not_printed(home: Path) -> None:
    """It must be a file: all users of a machine can see its command lines."""
    result = run_command(home, "--config", json.dumps(config(_NOWHERE)))
    assert (result.status, result.text.count("\n")) == (1, 1), result.text
    assert leaked(result.text) == []


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--state", "--catalog"])
@pytest.mark.parametrize(
    "text",
    [
        '{"bookmarks": {"calls": {"replication_key_value": 5}}, "streams": 5}',
        f'{{"bookmarks": null, "streams": "{SECRET}"}}',
        f'{{"bookmarks": {{"calls": {{"replication_key_value": "{SECRET[8:]}"}}}}}}',
        "{",
        "[]",
        '{"x": ' + "9" * 5_000 + "}",
        '{"bookmarks": ' + "[" * 100_000,
    ],
    ids=range(7),
)
def test_a_malformed_state_or_catalog_is_one_line(home: Path, option: str, text: str) -> None:
    """Exit code 1, one error, no traceback, no secret, and no request."""
    path = home.parent / "input.json"
    path.write_text(text, encoding="utf-8")
    server = Server(one_row)
    with server.listening() as origin:
        result = _run(home, config(origin), option, str(path))
    assert result.status == 1
    assert result.text.count("| ERROR ") == 1
    assert "Traceback" not in result.text
    assert server.requests == []


@pytest.mark.slow
def test_a_crash_prints_no_secret(home: Path) -> None:
    """An unexpected error with a secret in its text and in its local variables."""
    result = _run(home, config(_NOWHERE), variables={"CRASHING": "1"})
    assert result.status == 1
    assert "Traceback" in result.text
    assert "KeyError" in result.text
    assert "***" in result.text


@pytest.mark.slow
def test_a_terminated_run_prints_no_secret(home: Path) -> None:
    """SIGTERM in the middle of a request ends the run with 143."""

    def api(request: Request) -> Reply:
        for child in multiprocessing.active_children():
            child.terminate()
        return one_row(request)

    with Server(api).listening() as origin:
        result = _run(home, config(origin))
    assert result.status == 143


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["TAP_GENESYS_AGGREGATES_", "GENESYS_"])
def test_secrets_from_the_environment_are_not_printed(home: Path, prefix: str) -> None:
    """Settings as Meltano passes them, and as a shell does."""
    with Server(one_row).listening() as origin:
        variables = {
            "TAP_GENESYS_AGGREGATES_START_DATE": "2023-11-01",
            "TAP_GENESYS_AGGREGATES_END_DATE": "2023-11-02",
            "TAP_GENESYS_AGGREGATES_API": "group_tree",
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps([TREE_QUERY]),
            f"{prefix}BASE_URL": origin,
            f"{prefix}CLIENT_ID": CLIENT,
            f"{prefix}CLIENT_SECRET": SECRET,
        }
        result = run_command(home, "--config=ENV", variables=variables)
    assert result.status == 0, result.text[-2000:]
    assert '"RECORD"' in result.text
    assert leaked(result.text) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ECHOES)
def test_a_secret_that_a_server_sends_back_is_not_printed(home: Path, name: str) -> None:
    """Standard output, standard error at debug level and every file: no eight characters of it."""
    api, token, changes = ECHOES[name]
    server = Server(api, token)
    with server.listening() as origin:
        result = _run(home, config(origin, max_retries=2, **changes))
    assert server.requests
    assert (result.status == 1) or name in HARMLESS_ECHOES, result.text[-2000:]
    assert "DEBUG" in result.text
    assert "Traceback" not in result.text or "HeaderParsingError" in result.text


@pytest.mark.slow
def test_the_search_finds_a_secret_that_is_there(home: Path) -> None:
    """An empty search result means something: a secret in a file is found."""
    (home / "note").write_text(f"x{SECRET[3:12]}y", encoding="utf-8")
    assert leaked(run_command(home, "--version").text) != []


@pytest.mark.parametrize(
    "text", ["", "short", "the response does not match the group-tree API", SECRET[:7], "*" * 500]
)
def test_other_text_is_not_redacted(text: str) -> None:
    """None of our words looks like a secret, and seven characters are not a secret."""
    assert redaction.redact(text) == text


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (SECRET, "***"),
        (f"a {SECRET} b", "a *** b"),
        (f"{SECRET}{SECRET}", "***"),
        (f"a{SECRET[:8]}b{SECRET[-9:]}c", "a***b***c"),
        (f"<{quote(SECRET, safe='')}>", "<***>"),
        (f"<{json.dumps(SECRET)[1:-1]}>", "<***>"),
        (f"Basic {base64.b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}", "Basic ***"),
        (SECRET.upper(), "***"),
    ],
)
def test_every_form_of_a_secret_is_redacted(text: str, redacted: str) -> None:
    """Whole, in part, in capitals, in base64, in a URL, in JSON; the text around it stays."""
    assert redaction.redact(text) == redacted


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 22), st.integers(8, 30))
@examples(100)
def test_any_part_of_a_secret_is_redacted_anywhere(before: str, after: str, start: int, length: int) -> None:
    """Eight or more of its characters, between any other text."""
    assert leaked(redaction.redact(before + SECRET[start : start + max(8, length)] + after)) == []


def test_an_error_never_holds_a_secret() -> None:
    """Not in its line, its parts or its repr, and the line has a limited length."""
    error = TapError(f"it said {SECRET}", f"do {SECRET}").within("a place")
    assert str(error) == "a place: it said ***. do ***"
    assert leaked(f"{error!r}{error.args}{error.what}{error.advice}") == []
    assert len(str(TapError("x" * 10_000_000))) < 10_000


def test_recent_tokens_and_the_client_secret_stay_redacted() -> None:
    """A run that renews its token a hundred times still redacts the last few tokens and its secret."""
    for number in range(100):
        redaction.remember_token(f"token-number-{number:04d}-{number:08x}")
    assert redaction.redact("token-number-0099-00000063") == "***"
    assert redaction.redact(SECRET) == "***"


def test_every_promise_of_the_security_policy_names_an_existing_test() -> None:
    """Each row of the table in SECURITY.md is a promise and the test that proves it."""
    lines = re.findall(r"^\| (?!promise|-).+$", (_ROOT / "SECURITY.md").read_text("utf-8"), re.MULTILINE)
    assert len(lines) > 10
    for line in lines:
        test = re.search(r"`(tests/[\w/]+\.py)::(\w+)` \|$", line)
        assert test, line
        assert f"def {test[2]}(" in (_ROOT / test[1]).read_text("utf-8"), line
