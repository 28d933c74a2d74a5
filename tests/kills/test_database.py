"""PostgreSQL is stopped amid a load, politely or not, and started again."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from demo.postgres import embedded
from tests.kills.pipelines import Pipe, until
from tests.kills.scene import opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.meltano]

REQUESTS = 9


def fast(server: psutil.Process) -> None:
    """Sessions are cut, then it ends: a shutdown as ``pg_ctl stop`` asks for it."""
    server.send_signal(signal.SIGINT)


def at_once(server: psutil.Process) -> None:
    """Every process of it is killed: a machine that loses its power."""
    for each in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


@pytest.mark.parametrize("stop", [fast, at_once])
def test_a_database_that_goes_away(
    target_postgres: Path, tmp_path: Path, stop: Callable[[psutil.Process], None]
) -> None:
    """The run ends, and not as a success; with the database back, the next one makes all of it right."""
    folder = tmp_path / "postgres" / "data"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(embedded(folder))
        with opened("results", server, "stopped") as scene:
            pipe = Pipe(scene, tmp_path, target_postgres)
            with pipe.run() as running:
                until(lambda: scene.asked() >= REQUESTS and scene.rows() > 0)
                process = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
                stop(process)
                assert until(running.over)
                assert running.status() != 0, "the tap ended well though nobody read on"
            process.wait(30)
            stack.close()  # its keeper too
            stack.enter_context(embedded(folder))
            assert 0 < scene.rows() < sum(map(len, scene.expected().values()))
            with pipe.run() as running:
                assert until(running.over)
                assert running.status() == 0, pipe.log.read_text()
            assert scene.wrong() == []
