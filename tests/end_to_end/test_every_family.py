"""All 19 families, in both shapes, through Meltano into a real Postgres."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from demo.verification import verify_table
from genesys_sandbox import ExpectedRows, Options, Sandbox, serve
from tap_genesys_aggregates.config.families import families

from .conftest import NOW
from .process import START

if TYPE_CHECKING:
    from demo.postgres import Postgres
    from demo.project import Project

pytestmark = [pytest.mark.meltano, pytest.mark.postgres, pytest.mark.slow]

END = START + timedelta(days=1)


def queries() -> list[dict[str, Any]]:
    """A query of each family in each shape, with every metric that it has."""
    return [
        {
            "name": f"{name}_{shape}",
            "endpoint": name,
            "group_by": list(family.group_by[:2]),
            "metrics": list(family.metrics),
            "granularity": "PT12H",
            "shape": shape,
        }
        for name, family in families().items()
        for shape in ("wide", "long")
    ]


def test_counts_and_numbers_in_postgres(project: Project, postgres: Postgres) -> None:
    """One config with all 38 queries: each table has the rows and the numbers of the facts."""
    sandbox = Sandbox(Options(volume=0.3), now=lambda: NOW)
    with serve(sandbox) as url:
        variables = {
            "GENESYS_CLIENT_ID": "sandbox",
            "GENESYS_CLIENT_SECRET": "sandbox",
            "GENESYS_BASE_URL": url,
            "TAP_GENESYS_AGGREGATES_API": "results",
            "TAP_GENESYS_AGGREGATES_START_DATE": START.isoformat(),
            "TAP_GENESYS_AGGREGATES_END_DATE": END.isoformat(),
            "TAP_GENESYS_AGGREGATES_QUERIES": json.dumps(queries()),
            **postgres.settings,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "every_family",
        }
        project.run(["run", "tap-genesys-aggregates", "target-postgres"], variables)
    expected = ExpectedRows(sandbox)
    with postgres.connect() as connection:
        for query in queries():
            check = verify_table(connection, "every_family", query["name"], expected.rows(query, START, END))
            assert check.passed, check
