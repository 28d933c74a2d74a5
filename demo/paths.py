"""Where the demo keeps its files: everything is under ``.demo/`` in this clone."""

from __future__ import annotations

from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
DEMO = CLONE / ".demo"
MELTANO = DEMO / "meltano" / "bin" / "meltano"
"""The ``meltano`` command, installed in an environment of its own."""

DBT = DEMO / "dbt" / "bin" / "dbt"
"""The ``dbt`` command, also in an environment of its own."""

REPORT = DEMO / "report" / "bin" / "python"
"""The Python that draws the page."""

PLUGINS = DEMO / "plugins"
"""The environments of Meltano's plugins, one folder each."""

PROJECT = DEMO / "project"
"""The demo's Meltano project. It is a copy, so your ``.env`` and ``.meltano/`` are not touched."""
