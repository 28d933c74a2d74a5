"""A server that sends back the token or the secret does not get it printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.hostile.case import granted, usual
from tests.hostile.leading_away import JOBS
from tests.hostile.running import config
from tests.hostile.serving import Answer, Server
from tests.secrets import echoes
from tests.secrets.search import found
from tests.secrets.shell import said

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
RESULTS: dict[str, object] = {"api": "results"}
ASYNC: dict[str, object] = {"api": "results", "queries": [JOBS]}
SCENES: dict[str, tuple[Answer, Answer, dict[str, object]]] = {
    **{f"token: {name}": (echoes.of_token(echo), granted, {}) for name, echo in echoes.OF_A_MESSAGE.items()},
    **{f"secret: {name}": (usual, echoes.of_secret(echo), {}) for name, echo in echoes.OF_A_MESSAGE.items()},
    **{f"tree: {name}": (echoes.of_token(echo), granted, {}) for name, echo in echoes.OF_DATA.items()},
    **{
        f"results: {name}": (echoes.of_token(echo), granted, RESULTS)
        for name, echo in echoes.OF_RESULTS.items()
    },
    **{f"jobs: {name}": (answer, granted, ASYNC) for name, answer in echoes.OF_JOBS.items()},
}
END_WELL = {"token: an encoding", "secret: an encoding", "jobs: a job's place", "token: a length"}


@pytest.mark.parametrize("name", SCENES)
def test_an_echo_is_not_printed(name: str, tmp_path: Path) -> None:
    """Standard output, standard error at debug level and every file left: no eight characters of it."""
    data, grant, more = SCENES[name]
    server, home = Server(data, grant), tmp_path / "home"
    home.mkdir()
    (tmp_path / "config.json").write_text("", encoding="utf-8")
    with server.listening() as origin:
        settings = config(origin, max_retries=2, **more)
        (tmp_path / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        outcome = said(home, "--config", str(tmp_path / "config.json"))
    assert server.seen
    assert (outcome.status == 1) or name in END_WELL, outcome.text[-2000:]
    assert "DEBUG" in outcome.text
    assert found(outcome.text) == [], outcome.text[-3000:]
    assert "Traceback" not in outcome.text or "HeaderParsingError" in outcome.text
