"""Writes what repeats the table of settings: the block in ``meltano.yml``, and ``.env.example``.

``./run docs`` runs it; tests say that what it would write is what is there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tap_genesys_aggregates.config.settings_table import SETTINGS, Setting

ROOT = Path(__file__).resolve().parents[2]
MELTANO = ROOT / "meltano.yml"
ENVIRONMENT = ROOT / ".env.example"

BEGIN = "    # Written by ./run docs from tap_genesys_aggregates/config/settings_table.py: change it there.\n"
END = "    # Here ends what ./run docs writes.\n"

KINDS = {
    "string": "string",
    "url": "string",
    "duration": "string",
    "date-time": "date_iso8601",
    "integer": "integer",
    # Meltano's own "decimal" ends in "Decimal is not JSON serializable" (4.4.1); the tap reads text as well.
    "number": "string",
    "array": "array",
    "object": "object",
    "boolean": "boolean",
}
"""The table's kinds → Meltano's."""

_FILLED = ("client_id", "client_secret", "region", "start_date")
_START = "2025-01-01T00:00:00Z"
_HEAD = """\
# Copy this file to .env and fill in the three lines that follow. Meltano reads .env by itself; .env is never
# committed. Every setting is read from TAP_GENESYS_AGGREGATES_<NAME>, which wins over GENESYS_<NAME>.

"""
_POSTGRES = """\

# Where rows go: any Postgres. A URL, if you have one, wins over the five lines.
TARGET_POSTGRES_HOST=localhost
TARGET_POSTGRES_PORT=5432
TARGET_POSTGRES_USER=postgres
TARGET_POSTGRES_PASSWORD=
TARGET_POSTGRES_DATABASE=postgres
# TARGET_POSTGRES_SQLALCHEMY_URL=postgresql+psycopg://user:password@host:5432/database
# The schema of the tables.
# TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA=genesys

# Everything else has a default.
"""


def _setting(setting: Setting) -> str:
    """One setting as Meltano has it."""
    kind = "options" if setting.choices else KINDS[setting.kind]
    lines = [f"    - name: {setting.name}", f"      kind: {kind}"]
    if setting.choices:
        lines.append("      options:")
        for choice in setting.choices:
            lines += [f"      - label: {choice}", f"        value: {choice}"]
    if setting.default is not None:
        lines.append(f"      value: {json.dumps(setting.default)}")
    if setting.secret:
        lines.append("      sensitive: true")
    lines.append(f"      description: {json.dumps(setting.description)}")
    return "".join(f"{line}\n" for line in lines)


def meltano(text: str) -> str:
    """``meltano.yml`` with its block of settings as the table has it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        message = f"meltano.yml lacks the lines around the settings:\n{BEGIN}{END}"
        raise SystemExit(message)
    return before + BEGIN + "".join(map(_setting, SETTINGS.values())) + END + after


def environment() -> str:
    """``.env.example``: first what must be filled in, then what may be."""
    needed = [SETTINGS[name] for name in _FILLED]
    others = [setting for setting in SETTINGS.values() if setting.name not in _FILLED]
    return _HEAD + "".join(map(_filled, needed)) + _POSTGRES + "".join(map(_offered, others))


def _filled(setting: Setting) -> str:
    """A line that a newcomer fills in."""
    value = setting.default or (_START if setting.kind == "date-time" else "")
    return f"# {setting.description}\n{setting.alias or setting.variable}={value}\n"


def _offered(setting: Setting) -> str:
    """A line that a newcomer may uncomment."""
    value = "" if setting.default is None else setting.default
    if setting.kind == "array":
        value = """'[{"preset": "queue_performance"}]'"""
    return f"# {setting.description}\n# {setting.alias or setting.variable}={value}\n"


def main() -> int:
    """Write both files."""
    MELTANO.write_text(meltano(MELTANO.read_text(encoding="utf-8")), encoding="utf-8")
    ENVIRONMENT.write_text(environment(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
