"""The lock files: every requirement pinned with hashes, and no addresses of package indexes."""

from __future__ import annotations

import re
from importlib.metadata import distributions
from typing import Any

import pytest
import tomlkit
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .generated_settings import ROOT

pytestmark = pytest.mark.slow

LOCKS = {
    "requirements.lock": "dev",
    "requirements-build.lock": "build",
    "requirements-tap.lock": "tap",
    "requirements-target-postgres.lock": "target-postgres",
    "requirements-target-jsonl.lock": "target-jsonl",
    "requirements-target-csv.lock": "target-csv",
    "requirements-target-duckdb.lock": "target-duckdb",
    "requirements-meltano.lock": "meltano",
    "requirements-peers.lock": "peers",
    "requirements-audit.lock": "audit",
    "requirements-dbt.lock": "dbt",
    "requirements-report.lock": "report",
    "requirements-airflow.lock": "airflow",
    "requirements-spark.lock": "spark",
    "requirements-spark-oldest.lock": "spark-oldest",
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


def _pins(lock: str) -> list[Requirement]:
    """The pins of a lock file."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return [Requirement(line.removesuffix(" \\")) for line in text.splitlines() if not line.startswith(" ")]


def _group(groups: dict[str, Any], name: str) -> list[Requirement]:
    """The requirements of a dependency group and the groups that it includes."""
    found = []
    for entry in groups[name]:
        found += [Requirement(entry)] if isinstance(entry, str) else _group(groups, entry["include-group"])
    return found


def _wanted(lock: str) -> list[Requirement]:
    """The requirements in ``pyproject.toml`` that a lock file must satisfy."""
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8")).unwrap()
    wanted = _group(project["dependency-groups"], LOCKS[lock])
    if LOCKS[lock] in {"dev", "tap", "spark", "spark-oldest"}:
        wanted += map(Requirement, project["project"]["dependencies"] + project["build-system"]["requires"])
    for extra in {"tap": ["warehouse"], "spark": ["spark"], "spark-oldest": ["spark"]}.get(LOCKS[lock], []):
        wanted += map(Requirement, project["project"]["optional-dependencies"][extra])
    return wanted


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_is_pinned_once_for_every_python(lock: str, python: str) -> None:
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    pins: dict[str, list[str]] = {}
    for pin in _pins(lock):
        if pin.marker is None or pin.marker.evaluate(here):
            pins.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    for requirement in _wanted(lock):
        if requirement.marker is not None and not requirement.marker.evaluate(here):
            continue
        (version,) = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement
    assert {name: found for name, found in pins.items() if len(found) != 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    """What is installed is what was tested, whatever index it comes from."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(_pins(lock)) > 5
    assert [entry for entry in entries if not re.search(r"\n    --hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_contain_no_urls(lock: str) -> None:
    """The package index is configured on each machine."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "/" not in text
    assert re.sub(r"(?m)^([a-z0-9.-]+(?:\[[a-z,-]+\])?==.*|    --hash=sha256:.*)\n", "", text) == ""


def test_every_lock_file_is_tested() -> None:
    assert set(LOCKS) == {path.name for path in ROOT.glob("requirements*.lock")}


@pytest.mark.parametrize("lock", ["requirements-build.lock", "requirements-tap.lock"])
def test_the_tap_runs_with_the_versions_it_is_tested_with(lock: str) -> None:
    tested = {(pin.name, str(pin.specifier), str(pin.marker)) for pin in _pins("requirements.lock")}
    assert {(pin.name, str(pin.specifier), str(pin.marker)) for pin in _pins(lock)} <= tested


@pytest.mark.parametrize("target", ["target-postgres", "target-jsonl"])
def test_meltano_installs_the_version_of_a_target_that_is_locked(target: str) -> None:
    (wanted,) = _wanted(f"requirements-{target}.lock")
    loaders = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["loaders"]
    assert [each["pip_url"] for each in loaders if each["name"] == target] == [str(wanted)]


def test_requirements_with_an_extra_are_pinned_with_it() -> None:
    """If only ``name`` is pinned, pip considers ``name[extra]`` unpinned and refuses the lock file."""
    pins: dict[str, set[str]] = {}
    for pin in _pins("requirements.lock"):
        pins.setdefault(canonicalize_name(pin.name), set()).update(pin.extras)
    installed = [each for each in distributions() if canonicalize_name(each.name) in pins]
    assert len(installed) > 50
    wanted = [Requirement(line) for each in installed for line in each.requires or ()]
    here = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    bare = [each for each in here if not each.extras <= pins.get(canonicalize_name(each.name), set())]
    assert list(map(str, bare)) == []


def test_the_docs_name_the_versions_of_spark_that_are_tested() -> None:
    page = (ROOT / "docs" / "many-organizations.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"Tested with Spark (.*?)\. Set", page)
    pins = [*_pins("requirements-spark-oldest.lock"), *_pins("requirements-spark.lock")]
    tested = {str(pin.specifier).removeprefix("==") for pin in pins if pin.name == "pyspark"}
    assert {*re.findall(r"4\.\d\.\d+", told)} == tested
