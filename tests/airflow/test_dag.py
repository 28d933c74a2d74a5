"""The DAG of orchestrate/ in Airflow, without a scheduler: organizations that load, and one that does not."""

from __future__ import annotations

import contextlib
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from demo.paths import CLONE
from demo.postgres import Postgres
from tests.airflow.fleet import AIRFLOW, DEAD, REFUSED, SECRETS, TIMEOUT, Fleet

if TYPE_CHECKING:
    from pathlib import Path

WRONG = "answered 401 Unauthorized: invalid_client"
LAST_RUNS = "select organization, last_run_status, last_error from genesys_marts.genesys__data_quality"

pytestmark = [pytest.mark.airflow, pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]


def test_whoever_fails_is_named_and_the_others_are_loaded(fleet: Fleet) -> None:
    """One host is dead and one secret wrong; the next run, when both are well, loads everybody.

    In one test, since the second run needs what the first one left.
    """
    with contextlib.ExitStack() as stack:
        urls = fleet.serve(stack)
        fleet.client("initech", DEAD, "initech-hush")
        fleet.client("umbrella", urls["umbrella"], "umbrella-lapse")
        _check_failures(fleet, fleet.run())
        assert "genesys.py" not in "".join(line for line in fleet.output.splitlines() if "Warning" in line)
        fleet.client("initech", urls["initech"], "initech-hush")
        fleet.client("umbrella", urls["umbrella"], "umbrella-hush")
        found = fleet.run()
    assert found["state"] == "success", fleet.output[-8000:]
    assert {(name, state) for task, name, state, _ in found["tasks"] if task == "load"} == {
        (name, "success") for name in SECRETS
    }
    assert fleet.loaded == set(SECRETS)
    assert fleet.query("select organization, count(*) from genesys.genesys_runs group by 1 order by 1") == [
        (name, 2) for name in sorted(SECRETS)
    ]
    assert set(fleet.query(LAST_RUNS)) == {(name, "success", None) for name in SECRETS}
    _check_secrets(fleet)


def _check_failures(fleet: Fleet, found: dict[str, Any]) -> None:
    assert found["state"] == "failed"
    assert sorted(found["tasks"]) == [
        ["build", "", "success", 1],
        ["load", "acme", "success", 1],
        ["load", "globex", "success", 1],
        ["load", "initech", "failed", 2],  # a dead host may come back
        ["load", "umbrella", "failed", 1],  # a wrong secret stays wrong
        ["organizations", "", "success", 1],
        ["record", "", "success", 1],
        ["summarize", "", "failed", 1],
    ]
    assert fleet.loaded == {"acme", "globex"}
    assert "2 of 4 organizations were loaded." in fleet.output
    assert f"\ninitech failed: {REFUSED}" in fleet.output
    assert re.search(rf"\numbrella failed: \S+ {WRONG}.*\nThe KPIs were built\.\n", fleet.output)
    marts = fleet.query("select distinct organization from genesys_marts.genesys__queue_day")
    assert {name for (name,) in marts} == {"acme", "globex"}
    last = {name: (status, error) for name, status, error in fleet.query(LAST_RUNS)}
    assert last["acme"] == last["globex"] == ("success", None)
    assert last["initech"][1].startswith(REFUSED)
    assert WRONG in last["umbrella"][1]
    began = fleet.query("select count(*) from genesys.genesys_runs where started_at < finished_at")
    assert began == [(4,)]


def _check_secrets(fleet: Fleet) -> None:
    """No secret in a log, a rendered template, an XCom, a file or the arguments of a command."""
    files = [each for name in ("airflow", "project") for each in (fleet.folder / name).rglob("*")]
    texts = {str(each): each.read_bytes() for each in files if each.is_file() and not each.is_symlink()}
    texts[str(fleet.folder / "outcome.json")] = (fleet.folder / "outcome.json").read_bytes()
    texts["output"], texts["commands"] = fleet.output.encode(), fleet.commands.read_bytes()
    assert len(texts) > 20
    assert b"--state-id-suffix globex" in texts["commands"]
    assert b'"organization": "globex"' in texts[str(fleet.folder / "outcome.json")]
    for secret in (*SECRETS.values(), "umbrella-lapse", "warehouse-hush"):
        assert [name for name, text in texts.items() if secret.encode() in text] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[{"organization": "acme", "settings": {"regoin": "x"}}]',
            (
                ", entry 1 (acme): tap-genesys-aggregates has no setting 'regoin' in meltano.yml; "
                "did you mean 'region'?"
            ),
        ),
        (
            '[{"organization": "acme"}, {"organization": "globex"}]',
            " has 2 organizations, but Airflow makes at most 1 tasks of a list.",
        ),
    ],
)
def test_a_list_with_a_mistake_loads_nothing_and_says_what_to_write(
    text: str, problem: str, fleet: Fleet
) -> None:
    """The list is in a Variable here, and Airflow lets a task be mapped only once."""
    found = fleet.run(AIRFLOW_VAR_GENESYS_ORGANIZATIONS=text, AIRFLOW__CORE__MAX_MAP_LENGTH="1")
    assert found["state"] == "failed"
    assert {task: state for task, _, state, _ in found["tasks"]} == {
        "organizations": "failed",
        "load": "upstream_failed",
        **dict.fromkeys(("record", "build", "summarize"), "failed"),
    }
    assert f"The Variable genesys_organizations{problem}" in fleet.output
    assert "organizations.yml is not read, because there is the Variable genesys_organ" in fleet.output
    assert "Nothing was loaded: the task 'organizations' says why" in fleet.output
    assert not fleet.commands.exists()


def test_a_mistake_in_a_connection_is_recorded_even_if_nothing_was_ever_loaded(fleet: Fleet) -> None:
    """The DAG refuses an unknown setting in one extra; the tap refuses a wrong value in another.

    The third organization cannot get a folder of its own.
    """
    fleet.client("acme", DEAD, "acme-hush", regoin="eu_west_1")
    fleet.client("globex", DEAD, "globex-hush", lookback_days="a week")
    fleet.client("initech", DEAD, "initech-hush")
    own = fleet.folder / "project" / ".meltano" / "organizations" / "initech"
    own.parent.mkdir()
    own.touch()
    names = "[{organization: acme}, {organization: globex}, {organization: initech}]"
    found = fleet.run(AIRFLOW_VAR_GENESYS_ORGANIZATIONS=names)
    assert found["state"] == "failed"
    assert ["load", "acme", "failed", 1] in found["tasks"]
    assert ["load", "globex", "failed", 1] in found["tasks"]
    assert ["load", "initech", "failed", 2] in found["tasks"]
    assert ["record", "", "success", 1] in found["tasks"]
    unknown = (
        "the extra of the Airflow connection 'genesys_acme': tap-genesys-aggregates has no setting 'regoin' "
        "in meltano.yml; did you mean 'region'?"
    )
    wrong = "lookback_days must be a number from 0 to 3660, not 'a week'"
    full = f"this worker cannot write into the Meltano project: [Errno 17] File exists: '{own}'"
    last = "select distinct on (1) organization, status, error from genesys.genesys_runs order by 1"
    assert fleet.query(last) == [
        ("acme", "failed", unknown),
        ("globex", "failed", wrong),
        ("initech", "failed", full),
    ]
    summary = [f"acme failed: {unknown}", f"globex failed: {wrong}", f"initech failed: {full}"]
    assert "\n".join(["0 of 3 organizations were loaded.", *summary, ""]) in fleet.output
    assert ". No organization was loaded yet" in fleet.output


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("GENESYS_DAG_AT_ONCE", "abc", "must be a whole number above 0, such as 4, not 'abc'"),
        (
            "GENESYS_DAG_SCHEDULE",
            "every day",
            "must be a cron expression such as '17 * * * *', or a name such as @daily: Exactly 5",
        ),
    ],
)
def test_a_wrong_variable_of_the_environment_is_an_import_error_that_names_it(
    name: str, text: str, problem: str, tmp_path: Path
) -> None:
    fleet = Fleet(tmp_path, Postgres("", "none"))
    done = subprocess.run(
        [AIRFLOW / "python", "-c", "import genesys"],
        env={**fleet.environment(), "PYTHONPATH": str(CLONE / "orchestrate" / "dags"), name: text},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.stderr.splitlines()[-1].startswith(f"genesys_settings.SettingsError: {name} {problem}")
