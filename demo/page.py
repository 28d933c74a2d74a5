"""The last step of the demo: dbt builds the marts, and the page is made from them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict

from demo import urls
from demo.errors import DemoError
from demo.paths import CLONE, DBT, REPORT
from demo.postgres import MARTS_SCHEMA
from demo.project import run_logged
from genesys_sandbox import Options

if TYPE_CHECKING:
    from pathlib import Path

    from demo.postgres import Postgres


class KpiPage:
    """The marts of a database, and the page that shows them."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        """Set up.

        Args:
            server: The database.
            folder: Where the page and the files of dbt go.
        """
        self._server = server
        self._folder = folder

    def build(self) -> str:
        """Run ``dbt build``.

        Returns:
            How many models and tests it built and ran.

        Raises:
            DemoError: ``./run`` has not installed dbt, or dbt failed.
        """
        variables = {
            "genesys_time_zone": Options().zone,
            "using_queues": True,
            "using_users": True,
            "using_presence_definitions": True,
        }
        arguments = ["build", "--exclude-resource-types", "unit_test", "--vars", json.dumps(variables)]
        settings = {
            **self._server.settings,
            **urls.settings(self._server.url),
            **self._ssl_mode(),
            "DBT_MARTS_SCHEMA": MARTS_SCHEMA,
            "DBT_TARGET": "postgres",
            "DBT_TARGET_PATH": str(self._folder / "dbt"),
            "DBT_LOG_PATH": str(self._folder / "dbt"),
            "DBT_USE_COLORS": "false",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        output = self._run(DBT, arguments, CLONE / "transform", settings)
        done = re.search(r"Done\. PASS=(\d+) WARN=(\d+)", output)
        return f"{done[1]} models and tests passed, {done[2]} warned" if done else "done"

    def write(self, note: str) -> Path:
        """Write the page.

        Args:
            note: The line at its top.

        Returns:
            Its path.

        Raises:
            DemoError: ``./run`` has not installed what draws it, or it failed.
        """
        path = self._folder / "report.html"
        arguments = ["-m", "report", "--schema", MARTS_SCHEMA, "--output", str(path), "--note", note]
        self._run(REPORT, arguments, CLONE, {"DATABASE_URL": self._server.url})
        return path

    def _run(self, program: Path, arguments: list[str], folder: Path, settings: dict[str, str]) -> str:
        if not program.exists():
            message = f"{program} is not installed. Start with ./run, which installs it."
            raise DemoError(message)
        return run_logged([str(program), *arguments], folder, settings, self._folder / "page.log")

    def _ssl_mode(self) -> dict[str, str]:
        mode = conninfo_to_dict(self._server.url).get("sslmode")
        return {"DBT_POSTGRES_SSLMODE": str(mode)} if mode else {}
