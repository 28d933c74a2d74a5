"""The target's disk is full amid a load, and then it is not."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.postgres import embedded
from tests.end_to_end.process import PATIENCE, TAP, by_key, written
from tests.kills.pipelines import Pipe, surroundings, until
from tests.kills.scene import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.postgres import Postgres
    from tests.kills.scene import Scene

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.meltano]

STREAM = "abandoned"
KEYS = ("interval_start", "routing_queue_id", "media_type")
OWN = {"extracted_at", "is_final"}
FULL = Path("/dev/full")
KIBIBYTES = 32
"""How large a file may become: less than a load brings."""


@contextmanager
def small(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A real file system of so many MiB, where this machine lets us have one."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    options = f"size={mebibytes}m,mode=777"
    command = [mount or "false", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not umount or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system; files that may not grow stand for it")
    try:
        yield folder
    finally:
        subprocess.run([umount, "--lazy", str(folder)], check=True)


def held(folder: Path) -> list[dict[str, Any]]:
    """The rows in the file of a stream, without what the tap says of its own reading.

    A line that the full disk tore is cut off first, for the target would go on in the middle of it.
    """
    file = folder / f"{STREAM}.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rfind(b"\n") + 1])
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [{name: value for name, value in row.items() if name not in OWN} for row in rows]


def failed_then_mended(pipe: Pipe, scene: Scene, folder: Path) -> None:
    """A run that the disk ends, room for all, another run: the file holds the witness's rows."""
    with pipe.run() as running:
        assert until(running.over)
        assert running.status() != 0, "the tap ended well though nobody read on"
    assert not pipe.state.exists()
    expected = scene.expected()[STREAM]
    assert 0 < len(held(folder)) < len(expected)
    pipe.limit = ()
    with pipe.run() as running:
        assert until(running.over)
        assert running.status() == 0, pipe.log.read_text(encoding="utf-8")
    assert by_key(held(folder), KEYS) == by_key(expected, KEYS)


def test_files_that_may_not_grow(postgres: Postgres, target_jsonl: Path, tmp_path: Path) -> None:
    """The kernel stops target-jsonl at a size, everywhere: the run fails, and the next one is whole."""
    folder = tmp_path / "output"
    config = written(tmp_path, "target", {"destination_path": str(folder), "do_timestamp_file": False})
    limit = ("sh", "-c", f'ulimit -f {2 * KIBIBYTES}; exec "$@"', "sh")
    with opened("group_tree", postgres, "grown") as scene:
        pipe = Pipe(scene, tmp_path, target_jsonl, ("--config", config), limit)
        failed_then_mended(pipe, scene, folder)


def test_a_database_on_a_full_disk(target_postgres: Path, tmp_path: Path) -> None:
    """PostgreSQL on a real small disk that fills: the run fails; with room again the next one is whole."""
    with (
        small(tmp_path / "disk", 200) as disk,
        embedded(disk / "data") as server,
        opened("results", server, "full") as scene,
    ):
        pipe, filler = Pipe(scene, tmp_path, target_postgres), disk / "filler"
        with pipe.run() as running:
            until(lambda: scene.rows() > 0)
            with pytest.raises(OSError, match="No space left"):
                _fill(filler)
            assert until(running.over)
            assert running.status() != 0, "the tap ended well though nobody read on"
        assert "No space left" in pipe.log.read_text(encoding="utf-8")
        filler.unlink()
        assert scene.rows() < sum(map(len, scene.expected().values()))
        with pipe.run() as running:
            assert until(running.over)
            assert running.status() == 0, pipe.log.read_text(encoding="utf-8")
        assert scene.wrong() == []


def _fill(file: Path) -> None:
    """Write for as long as there is room."""
    with file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 16))


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_the_tap_itself_on_a_full_disk(postgres: Postgres, tmp_path: Path) -> None:
    """What the tap writes finds no room: it ends, and not as a success."""
    with opened("group_tree", postgres, "device") as scene, FULL.open("wb") as full:
        command = [str(TAP), "--config", written(tmp_path, "config", scene.config)]
        run = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=surroundings(), timeout=PATIENCE, check=False
        )
    assert run.returncode != 0
    assert b"No space left" in run.stderr
