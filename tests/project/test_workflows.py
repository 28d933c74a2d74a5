"""The workflows and the tests on every Python: they call ``./run``, cover every Python, and trust no tag."""

from __future__ import annotations

import ast
import re
import subprocess

import yaml

from .generated_settings import ROOT
from .test_packaging import BIN, PROJECT

WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")
}
PYTHONS = [
    each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.fullmatch(r".*Python :: 3\.\d+", each)
]


def test_zizmor_finds_nothing() -> None:
    """In its strictest mode, without a network."""
    command = [str(BIN / "zizmor"), "--offline", "--pedantic", "--no-progress", ".github"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings" in done.stdout + done.stderr


def test_every_action_is_pinned_by_the_hash_of_a_commit() -> None:
    """With the version that it is, and the same one everywhere."""
    used = [line.strip() for text in WORKFLOWS.values() for line in text.splitlines() if "uses:" in line]
    pins = {re.fullmatch(r"- uses: ([\w/-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in used}
    assert len(used) > 3
    assert None not in pins
    assert len({line.partition("@")[0] for line in used}) == len(set(used))


def test_the_workflows_call_run() -> None:
    """With commands that it has; apart from that, only a release needs commands of its own."""
    known = set(re.findall(r"^    ([a-z-]+)\)", (ROOT / "run").read_text(encoding="utf-8"), re.MULTILINE))
    called = {name: re.findall(r"\./run ([a-z-]+)", text) for name, text in WORKFLOWS.items()}
    assert called["ci.yml"] == ["test"]
    assert "test" in called["release.yml"]
    assert {each for names in called.values() for each in names} <= known


def test_ci_and_nox_know_every_supported_python() -> None:
    """Those of the classifiers."""
    matrix = yaml.safe_load(WORKFLOWS["ci.yml"])["jobs"]["test"]["strategy"]["matrix"]["python"]
    noxfile = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    (found,) = (
        ast.literal_eval(each.value)
        for each in noxfile.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "PYTHONS"
    )
    assert matrix == list(found) == PYTHONS


def test_new_releases_of_actions_wait_before_they_are_used() -> None:
    """A hijacked release is usually found within days."""
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    updates = yaml.safe_load(text)["updates"]
    assert [(each["package-ecosystem"], each["cooldown"]["default-days"]) for each in updates] == [
        ("github-actions", 7)
    ]
