"""What ``./run`` and Meltano install is what the lock files pin; and the SBOM lists it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from demo.paths import CLONE, MELTANO
from tests.project.installed import ENVIRONMENTS, compare

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.meltano, pytest.mark.slow]

INSTALLS = {
    "extractors/tap-genesys-aggregates": "requirements-tap.lock",
    "loaders/target-postgres": "requirements-target-postgres.lock",
}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_holds_what_its_lock_file_pins(environment: str) -> None:
    """No distribution more, none fewer, and no other version: not even pip, which venv brings."""
    found = compare(CLONE / environment, ENVIRONMENTS[environment])
    assert len(found.installed) >= 10
    assert found.differences == []


@pytest.mark.parametrize("plugin", INSTALLS)
def test_meltano_installs_what_a_lock_file_pins_if_told_to(tmp_path: Path, plugin: str) -> None:
    """With the commands of docs/operations.md. What only builds the tap is not left in its environment."""
    lock, name = INSTALLS[plugin], plugin.rpartition("/")[2]
    (command,) = [
        line
        for line in (CLONE / "docs" / "operations.md").read_text(encoding="utf-8").splitlines()
        if line.endswith(f"meltano install {name}")
    ]
    assert lock in command
    project = tmp_path / "project"
    project.mkdir()
    for each in CLONE.iterdir():
        if each.name not in {"meltano.yml", ".demo", ".meltano", ".env", ".venv", ".git", "output"}:
            (project / each.name).symlink_to(each)
    shutil.copy(CLONE / "meltano.yml", project)
    subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=project,
        env={
            **os.environ,
            "PATH": f"{MELTANO.parent}{os.pathsep}{os.environ['PATH']}",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        },
        check=True,
        capture_output=True,
        timeout=240,
    )
    assert (project / "meltano.yml").read_bytes() == (CLONE / "meltano.yml").read_bytes()
    environment = project / ".meltano" / plugin / "venv"
    for_the_build = compare(environment, "requirements-build.lock").pinned
    found = compare(environment, lock)
    assert found.installed <= found.pinned
    assert found.pinned - found.installed <= for_the_build


def test_a_tampered_package_is_not_installed(tmp_path: Path) -> None:
    """Neither in an environment of ``./run`` nor as what builds a package: its hash is another."""
    uv = CLONE / ".venv" / "bin" / "uv"
    tampered = tmp_path / "tampered.lock"
    pins = [
        line.removesuffix(" \\")
        for line in (CLONE / "requirements-build.lock").read_text(encoding="utf-8").splitlines()
        if not line.startswith(" ")
    ]
    tampered.write_text("".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in pins), encoding="utf-8")
    for number, arguments in enumerate(
        (
            ["--require-hashes", "-r", str(tampered)],
            ["--build-constraints", str(tampered), "--no-deps", str(CLONE)],
        )
    ):
        environment = tmp_path / str(number)
        subprocess.run([str(uv), "venv", "--quiet", str(environment)], check=True)
        done = subprocess.run(
            [
                str(uv),
                "pip",
                "install",
                "--no-cache",
                "--python",
                str(environment / "bin/python"),
                *arguments,
            ],
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode != 0
        assert "Hash mismatch" in done.stderr


def test_the_sbom_lists_every_pin_with_its_hashes() -> None:
    """One CycloneDX file for each lock file, made without a network."""
    nowhere = "http://127.0.0.1:9"
    variables = {**os.environ, "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "ALL_PROXY": nowhere}
    subprocess.run([str(CLONE / "run"), "sbom"], env=variables, check=True, capture_output=True, timeout=240)
    for lock in CLONE.glob("requirements*.lock"):
        bom = json.loads((CLONE / "dist" / f"{lock.stem}.cdx.json").read_text(encoding="utf-8"))
        assert bom["bomFormat"] == "CycloneDX"
        text = lock.read_text(encoding="utf-8")
        listed = sorted(f"{each['name']}=={each['version']}" for each in bom["components"])
        pins = [line.partition(" ")[0] for line in text.splitlines() if not line.startswith(" ")]
        assert listed == sorted(re.sub(r"\[.*\]", "", pin) for pin in pins)
        hashes = sum(
            len(reference["hashes"])
            for each in bom["components"]
            for reference in each["externalReferences"]
            if "hashes" in reference
        )
        assert hashes == text.count("--hash=sha256:")
