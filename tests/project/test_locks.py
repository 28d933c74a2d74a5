"""The lock files: everything that is needed, pinned by hash, and nothing about anybody's machines."""

from __future__ import annotations

import re
from importlib.metadata import distributions
from typing import Any

import pytest
import tomlkit
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .generated_settings import ROOT

LOCKS = {
    "requirements.lock": "dev",
    "requirements-meltano.lock": "meltano",
    "requirements-peers.lock": "peers",
    "requirements-audit.lock": "audit",
}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def _pins(lock: str) -> list[Requirement]:
    """What a lock file pins."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return [Requirement(line.removesuffix(" \\")) for line in text.splitlines() if not line.startswith(" ")]


def _group(groups: dict[str, Any], name: str) -> list[Requirement]:
    """A dependency group with those that it includes."""
    found = []
    for entry in groups[name]:
        found += [Requirement(entry)] if isinstance(entry, str) else _group(groups, entry["include-group"])
    return found


def _wanted(lock: str) -> list[Requirement]:
    """What ``pyproject.toml`` wants to be in a lock file."""
    project = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8")).unwrap()
    wanted = _group(project["dependency-groups"], LOCKS[lock])
    if LOCKS[lock] == "dev":
        wanted += map(Requirement, project["project"]["dependencies"] + project["build-system"]["requires"])
    return wanted


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_wanted_is_pinned(lock: str, python: str) -> None:
    """On every Python that the tap supports, each requirement has exactly one pin, and that satisfies it."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    pins: dict[str, list[str]] = {}
    for pin in _pins(lock):
        if pin.marker is None or pin.marker.evaluate(here):
            pins.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    for requirement in _wanted(lock):
        (version,) = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement
    assert {name: found for name, found in pins.items() if len(found) != 1} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    """So that what is installed is what was tested, wherever it comes from."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) == len(_pins(lock)) > 10
    assert [entry for entry in entries if not re.search(r"\n    --hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_is_in_a_lock(lock: str) -> None:
    """Where packages come from is each machine's own affair."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "/" not in text
    assert re.sub(r"(?m)^([a-z0-9.-]+(?:\[[a-z,]+\])?==.*|    --hash=sha256:.*)\n", "", text) == ""


def test_what_is_wanted_with_an_extra_is_pinned_with_it() -> None:
    """Where only the bare name is pinned, pip takes ``name[extra]`` for unpinned and refuses the lock."""
    pins: dict[str, set[str]] = {}
    for pin in _pins("requirements.lock"):
        pins.setdefault(canonicalize_name(pin.name), set()).update(pin.extras)
    installed = [each for each in distributions() if canonicalize_name(each.name) in pins]
    assert len(installed) > 50
    wanted = [Requirement(line) for each in installed for line in each.requires or ()]
    here = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    bare = [each for each in here if not each.extras <= pins.get(canonicalize_name(each.name), set())]
    assert list(map(str, bare)) == []
