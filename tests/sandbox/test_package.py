"""The package: independent of the tap, free of import cycles, and not in the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import grimp

ROOT = Path(__file__).resolve().parents[2]


def test_starting_it_loads_neither_the_tap_nor_its_libraries() -> None:
    """The sandbox needs the standard library and `typing_extensions` only."""
    script = "import sys, json; import genesys_sandbox.__main__; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
    )
    loaded = json.loads(done.stdout)
    assert "genesys_sandbox.sandbox" in loaded
    assert not [name for name in loaded if name.partition(".")[0] == "tap_genesys_aggregates"]
    assert not {"requests", "singer_sdk", "msgspec"} & set(loaded)


def test_no_module_imports_itself_through_another() -> None:
    """Imports for annotations count too."""
    graph = grimp.build_graph("genesys_sandbox", cache_dir=None)
    cycles = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if graph.chain_exists(imported, importer)
    }
    assert len(graph.modules) > 1
    assert cycles == set()


def test_the_wheel_holds_the_tap_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "tap_genesys_aggregates/tap.py" in names
    assert "tap_genesys_aggregates/data/aggregates.json" in names
    top = {name.partition("/")[0] for name in names}
    packages = {name for name in top if not name.endswith(".dist-info")}
    assert packages == {"tap_genesys_aggregates", "pyspark_genesys_aggregates"}
