"""Writes ``docs/reference.md``: settings, families, presets and look-ups, from the data that the tap reads.

``./run docs`` runs it; a test says that what it would write is what is there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tap_genesys_aggregates.config.families import families
from tap_genesys_aggregates.config.queries import presets
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS, SETTINGS
from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.dialects import lookup_lists
from tap_genesys_aggregates.extract.connection_test import permissions
from tap_genesys_aggregates.ledger import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_genesys_aggregates.config.settings_table import Setting
    from tap_genesys_aggregates.core.query import Query
    from tap_genesys_aggregates.core.schema import Column

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference.md"

_HEAD = """\
# Reference

Written by `./run docs` from the tables that the tap itself reads; do not edit it.
"""


def text() -> str:
    """The whole page."""
    parts = [_HEAD, *_settings(), *_families(), *_presets(), *_lookups(), *_ledger()]
    return "\n".join(parts)


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table; what would break a cell is escaped."""
    lines = [list(heads), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _settings() -> Iterator[str]:
    yield "## Settings\n"
    yield _table(["setting", "kind", "default", "meaning"], map(_setting, SETTINGS.values()))
    yield "## A query\n"
    yield _table(["field", "kind", "default", "meaning"], map(_setting, QUERY_FIELDS.values()))


def _setting(setting: Setting) -> tuple[str, ...]:
    kind = " or ".join(f"`{choice}`" for choice in setting.choices) or setting.kind
    default = "required" if setting.required else "" if setting.default is None else f"`{setting.default}`"
    return f"`{setting.name}`", kind, default, setting.description


def _families() -> Iterator[str]:
    yield "## Families\n"
    yield "Every `endpoint`, and what it can do. One of the permissions is enough.\n"
    rows = (
        (
            f"`{name}`{' (preview)' if family.preview else ''}",
            " or ".join(f"`{each}`" for each in family.permissions_any),
            "yes" if family.async_jobs else "no",
            "yes" if family.top_n else "no",
            ", ".join(f"`{each}`" for each in family.alternate_time_dimensions),
            len(family.group_by),
            len(family.metrics),
        )
        for name, family in families().items()
    )
    heads = ["endpoint", "permission", "async", "topN", "alternate time", "dimensions", "metrics"]
    yield _table(heads, rows)


def _queries(api: str) -> tuple[Query, ...]:
    """The presets of a contract, as queries."""
    config = {
        "client_id": "-",
        "client_secret": "-",
        "start_date": "2025-01-01",
        "api": api,
        "queries": [{"preset": name} for name, preset in presets().items() if preset["api"] == api],
    }
    return Settings.read(config).queries


def _presets() -> Iterator[str]:
    yield "## Presets\n"
    yield "`queries: [{preset: NAME}]` is enough; fields beside it override.\n"
    for query in (*_queries("results"), *_queries("group_tree")):
        asked = query.endpoint or "group tree"
        yield f"### {query.name}\n"
        yield f"{presets()[query.name]['description']}\n"
        yield f"{asked}, buckets of {query.granularity.text}, permission `{permissions(query)}`.\n"
        yield _columns(schema.columns(query))


def _columns(columns: Iterable[Column]) -> str:
    rows = (
        (f"`{each.name}`", f"{each.kind}{', key' if each.key else ''}", each.description) for each in columns
    )
    return _table(["column", "kind", "meaning"], rows)


def _lookups() -> Iterator[str]:
    yield "## Look-ups\n"
    yield "Off until selected: take its line out of `select` in `meltano.yml`. Each run reads them whole.\n"
    for name, lookup in lookup_lists.lookups().items():
        yield f"### {name}\n"
        permission = f"`{lookup.permission}`" if lookup.permission else "not documented"
        yield f"`GET {lookup.path}`, permission {permission}.\n"
        yield _columns(lookup.table)


def _ledger() -> Iterator[str]:
    yield "## extractions\n"
    yield "The ledger: a row for each window pulled.\n"
    yield _columns(COLUMNS)


def main() -> int:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
