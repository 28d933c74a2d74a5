"""The distributions: what they contain, their metadata, and that every module can be imported from them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest
import tomlkit

import tap_genesys_aggregates

from .generated_settings import ROOT

if TYPE_CHECKING:
    from email.message import Message

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
PROJECT = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8")).unwrap()["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
TOP = {"CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "PKG-INFO", "README.md", "SECURITY.md", "pyproject.toml"}
PACKAGES = ("tap_genesys_aggregates", "pyspark_genesys_aggregates")
NEEDS_SPARK = ("tap_genesys_aggregates.spark", "pyspark_genesys_aggregates")
EVERY_MODULE = """\
import importlib, json, pkgutil, sys, tap_genesys_aggregates as package
names = [each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if name != "tap_genesys_aggregates.spark":
        importlib.import_module(name)
extras = sorted({"psycopg", "pyarrow", "pyspark"} & sys.modules.keys())
print(json.dumps([names, package.__file__, package.__version__, extras]))
"""


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """Run a command, which must succeed, and return its output."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, built offline."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder)
    (found,) = folder.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built offline from the source distribution alone."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=source)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The metadata of the wheel."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_source_distribution_holds_the_tap_and_its_docs_alone(sdist: Path) -> None:
    """Neither tests nor the sandbox, the demo and the benchmarks. Hatchling adds ``.gitignore``."""
    with tarfile.open(sdist) as archive:
        names = {each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()}
    tracked = run("git", "ls-files", "-co", "--exclude-standard", *PACKAGES, "docs").split()
    assert {each for each in names if "/" not in each} - {".gitignore"} == TOP
    assert {each for each in names if "/" in each} == set(tracked)


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {each for each in archive.namelist() if ".dist-info/" not in each}
    assert names == set(run("git", "ls-files", "-co", "--exclude-standard", *PACKAGES).split())


def test_an_index_would_accept_both(sdist: Path, wheel: Path) -> None:
    """``twine check`` renders the description; ``check-wheel-contents`` looks for files that went astray.

    There are two packages (W009), because Spark finds a data source by the name of a top-level one.
    """
    run(BIN / "twine", "check", "--strict", sdist, wheel)
    run(BIN / "check-wheel-contents", "--ignore", "W009", wheel)


def test_the_description_has_no_relative_links(metadata: Message) -> None:
    """It is shown on pages of an index, where they would lead nowhere."""
    text = str(metadata.get_payload())
    links = re.findall(r"\]\(([^)]*)\)", text)
    own = [each for each in links if each.startswith(f"{REPOSITORY}/blob/main/")]
    assert len(own) > 10
    assert [each for each in links if not each.startswith(("https://", "#"))] == []
    for each in own:
        assert (ROOT / each.removeprefix(f"{REPOSITORY}/blob/main/").partition("#")[0]).is_file(), each


def test_the_metadata_names_every_supported_python(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier") or []
    found = [each.rpartition(" ")[2] for each in classifiers if re.fullmatch(r".*:: Python :: 3\.\d+", each)]
    assert found == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert metadata["Requires-Python"] == ">=3.10"


def test_the_version_is_written_once(metadata: Message) -> None:
    """In ``pyproject.toml``; the changelog has a section for it."""
    assert metadata["Version"] == tap_genesys_aggregates.__version__ == PROJECT["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{PROJECT['version']}] - " in changelog


def test_the_address_of_the_repository_is_the_same_everywhere() -> None:
    """In the metadata, in the links of the description, and in the docs."""
    host = REPOSITORY.split("/")[2]
    pages = [ROOT / "pyproject.toml", *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    for page in pages:
        for address in re.findall(rf"https://{re.escape(host)}[^\s)'\"`]*", page.read_text(encoding="utf-8")):
            assert re.match(rf"{re.escape(REPOSITORY)}($|[/.])", address), f"{page}: {address}"


def test_every_module_of_the_installed_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    """In an environment with nothing but the tap's own dependencies: without what its extras bring."""
    uv, python = BIN / "uv", tmp_path / "environment" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "environment")
    lock = ROOT / "requirements.lock"
    run(uv, "pip", "install", "--quiet", "--python", python, "--constraint", lock, wheel)
    names, file, version, extras = json.loads(run(python, "-I", "-c", EVERY_MODULE, folder=tmp_path))
    with ZipFile(wheel) as archive:
        files = [each for each in archive.namelist() if each.endswith(".py")]
    expected = {each.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for each in files}
    found = {*names, "tap_genesys_aggregates"}
    assert {each for each in found if not each.startswith(NEEDS_SPARK)} == {
        each for each in expected if not each.startswith(NEEDS_SPARK)
    }
    assert {"tap_genesys_aggregates.spark.data_source", "pyspark_genesys_aggregates"} <= expected
    assert file.startswith(os.fspath(tmp_path))
    assert (version, extras) == (PROJECT["version"], [])
    for command in ("tap-genesys-aggregates", "tap-genesys-aggregates-warehouse"):
        assert "Usage:" in run(python.with_name(command), "--help", folder=tmp_path)
