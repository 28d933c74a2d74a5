"""Whatever the command line is told to do, and however that ends, no secret is printed or left in a file."""

from __future__ import annotations

import json
import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.case import granted, usual
from tests.hostile.running import CLIENT, SECRET, TREE_QUERY, config
from tests.hostile.serving import Server
from tests.secrets.echoes import OF_A_MESSAGE, of_token
from tests.secrets.search import found
from tests.secrets.shell import Said, said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.hostile.serving import Asked, Reply

pytestmark = pytest.mark.slow
WRONG: dict[str, dict[str, Any]] = {
    "a secret in a list": {"client_secret": [SECRET]},
    "a secret in an object": {"client_secret": {"secret": SECRET}},
    "a secret with a line break": {"client_secret": f"{SECRET}\n"},
    "a number for a secret": {"client_secret": 5},
    "a setting that is none": {"client_secrets": SECRET},
    "a wrong date": {"start_date": "yesterday"},
    "a wrong URL": {"base_url": "ftp://x"},
    "plain http": {"base_url": "http://gateway.example.com"},
    "a wrong query": {"queries": [{**TREE_QUERY, "metrics": []}]},
    "queries that are no list": {"queries": {"client_secret": SECRET}},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder, the home of the run."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def ran(home: Path, settings: object, *arguments: str, variables: Mapping[str, str] | None = None) -> Said:
    """Run a command with a config; nothing of a secret comes out, wherever one looks."""
    path = home.parent / "config.json"
    path.write_text(settings if isinstance(settings, str) else json.dumps(settings), encoding="utf-8")
    outcome = said(home, "--config", str(path), *arguments, variables=variables)
    assert found(outcome.text) == [], outcome.text[-3000:]
    return outcome


@pytest.mark.parametrize(
    "arguments",
    [(), ("--discover",), ("--test",), ("--test=schema",), ("--about",), ("--about", "--format=json")],
)
def test_what_goes_well(home: Path, arguments: tuple[str, ...]) -> None:
    """A run, a catalog, a check, a description: rows, state, schema and log hold neither secret nor token."""
    with Server(usual, granted).listening() as origin:
        outcome = ran(home, config(origin), *arguments)
    assert outcome.status == 0, outcome.text[-2000:]
    assert "calls" in outcome.text or "--about" in arguments
    assert ('"RECORD"' in outcome.text) == (arguments == ())


def test_a_check_that_fails(home: Path) -> None:
    """``--test`` prints the server's message, and not the token in it."""
    with Server(of_token(OF_A_MESSAGE["a message with 403"]), granted).listening() as origin:
        outcome = ran(home, config(origin), "--test")
    assert outcome.status == 1
    assert "***" in outcome.text


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("arguments", [(), ("--discover",), ("--test",)])
def test_a_config_that_is_wrong(home: Path, name: str, arguments: tuple[str, ...]) -> None:
    """The message names the setting and not what stands in it."""
    outcome = ran(home, {**config("https://gateway.invalid"), **WRONG[name]}, *arguments)
    assert outcome.status == 1
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    "text", [json.dumps(config("https://gateway.invalid"))[:-1], f'["{SECRET}"', "", "\0"]
)
def test_a_config_that_is_no_json(home: Path, text: str) -> None:
    """A file that was cut is not shown."""
    assert ran(home, text).status != 0


@pytest.mark.parametrize(
    "state", ['{"bookmarks": {"calls": {"replication_key_value": 5}}}', '{"bookmarks": []}', "{", "[]"]
)
def test_a_state_that_is_wrong(home: Path, state: str) -> None:
    """Whatever the tap makes of it."""
    path = home.parent / "state.json"
    path.write_text(state, encoding="utf-8")
    with Server(usual, granted).listening() as origin:
        outcome = ran(home, config(origin), "--state", str(path))
    assert outcome.text


def test_a_crash(home: Path) -> None:
    """An error that nobody foresaw, with a secret in its text and in the locals of its frames."""
    outcome = ran(home, config("https://gateway.invalid"), variables={"CRASHING": "1"})
    assert outcome.status == 1
    assert "Traceback" in outcome.text
    assert "KeyError" in outcome.text
    assert "***" in outcome.text


def test_a_run_that_is_told_to_end(home: Path) -> None:
    """SIGTERM in the middle of a request: the run ends with 143."""

    def data(asked: Asked) -> Reply:
        for child in multiprocessing.active_children():
            child.terminate()
        return usual(asked)

    with Server(data, granted).listening() as origin:
        outcome = ran(home, config(origin))
    assert outcome.status == 143


@pytest.mark.parametrize("prefix", ["TAP_GENESYS_AGGREGATES_", "GENESYS_"])
def test_the_environment(home: Path, prefix: str) -> None:
    """Settings as Meltano gives them, and as a shell does."""
    with Server(usual, granted).listening() as origin:
        variables = {
            "TAP_GENESYS_AGGREGATES_START_DATE": "2023-11-01",
            "TAP_GENESYS_AGGREGATES_END_DATE": "2023-11-02",
            "TAP_GENESYS_AGGREGATES_API": "group_tree",
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps([TREE_QUERY]),
            f"{prefix}BASE_URL": origin,
            f"{prefix}CLIENT_ID": CLIENT,
            f"{prefix}CLIENT_SECRET": SECRET,
        }
        outcome = said(home, "--config=ENV", variables=variables)
    assert outcome.status == 0, outcome.text[-2000:]
    assert '"RECORD"' in outcome.text
    assert found(outcome.text) == []


def test_the_search_finds_what_is_there(home: Path) -> None:
    """The same search finds the secret in a file that holds it: an empty result means something."""
    (home / "note").write_text(f"x{SECRET[3:12]}y", encoding="utf-8")
    assert found(said(home, "--version").text) != []
