"""Where the demo keeps its things: all of it under ``.demo/`` in this clone."""

from __future__ import annotations

from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
DEMO = CLONE / ".demo"
MELTANO = DEMO / "meltano" / "bin" / "meltano"
"""Meltano itself, in an environment of its own."""

PROJECT = DEMO / "project"
"""The Meltano project that is run: a copy, so that your ``.env`` and ``.meltano/`` are left alone."""
