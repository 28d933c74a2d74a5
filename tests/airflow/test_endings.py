"""How commands of Meltano end, and what the DAG makes of it; without Airflow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from genesys_meltano import run

if TYPE_CHECKING:
    from pathlib import Path

LOG = """\
12:00:01  Running with dbt=1.11.16
12:00:09  Failure in model stg_x (models/stg_x.sql)
12:00:09    Database Error in model stg_x (models/stg_x.sql)
  relation "genesys.agent_status" does not exist
  LINE 72:     from "postgres"."genesys"."agent_status"
12:00:09  Failure in test unique_y (models/y.yml)
12:00:09    Got 3 results, configured to fail if != 0
12:00:09  Done. PASS=1 WARN=0 ERROR=2 SKIP=0 TOTAL=3
"""


MISSING = "Cannot start plugin target-postgres: … may not have been installed yet using `meltano install …`"
WRONG = "lookback_days must be a number from 0 to 3660, not 'a week'"
OF_THE_SERVER = "no token could be obtained: 127.0.0.1:9 refused the connection"
STREAMS = {"name": "tap-genesys-aggregates", "type": "discovery", "level": "error"}
RUNNING = {"string_id": "tap-genesys-aggregates", "name": "tap-genesys-aggregates-x", "level": "error"}


@pytest.mark.parametrize(
    ("entries", "error", "helps"),
    [
        ([{"event": MISSING, "level": "error"}], MISSING, False),
        ([{**STREAMS, "event": WRONG}, {"event": f"… {WRONG}", "level": "error"}], WRONG, False),
        ([{**RUNNING, "event": OF_THE_SERVER}], OF_THE_SERVER, True),
        ([], "Cannot start plugin", True),
    ],
    ids=["a plugin is missing", "a wrong setting", "no server", "of Meltano alone"],
)
def test_a_run_of_meltano_ends_with_the_error_that_caused_it(
    entries: list[dict[str, Any]], error: str, *, helps: bool, tmp_path: Path
) -> None:
    """What Meltano 4.4 logs, shortened."""
    log = [
        {"event": "Environment 'dev' is active", "level": "info"},
        *entries,
        {"event": "Block run completed", "err": error, "level": "error"},
        {"event": "Run completed", "status": "failure", "level": "info"},
    ]
    (tmp_path / "log").write_text("".join(f"{json.dumps(each)}\n" for each in log), encoding="utf-8")
    ended = run(["sh", "-c", "cat log; exit 1"], folder=tmp_path, environment={}, show=lambda _line: None)
    assert ended.error == error
    assert ended.may_help is helps


def test_the_error_of_dbt_says_which_model_and_test_failed_and_why(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG, encoding="utf-8")
    ended = run(["sh", "-c", "cat log; exit 1"], folder=tmp_path, environment={}, show=lambda _line: None)
    assert ended.error == (
        "Failure in model stg_x (models/stg_x.sql); Database Error in model stg_x (models/stg_x.sql): "
        'relation "genesys.agent_status" does not exist; '
        "Failure in test unique_y (models/y.yml): Got 3 results, configured to fail if != 0"
    )


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("no-such-meltano", "cannot be run: No such file or directory"),
        ("/", "cannot be run: Permission denied"),
    ],
)
def test_a_command_that_cannot_be_run_is_named_and_not_tried_again(
    command: str, problem: str, tmp_path: Path
) -> None:
    ended = run([command], folder=tmp_path, environment={})
    assert ended.error == (
        f"{command} {problem}. Install Meltano on every worker, and set GENESYS_DAG_MELTANO to the path "
        "of the command"
    )
    assert ended.status
    assert not ended.may_help
