"""``./run report``."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from report.database import connect, server_url
from report.errors import ReportError
from report.page import fleet_page, now_in_utc, page
from report.picture import picture
from report.queries import Marts

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = "Write the KPIs of your warehouse into one HTML file, from the marts that dbt builds."


def main(argv: Sequence[str] | None = None) -> int:
    """Make the page; 0 if it is written, 1 with one line that says why if not."""
    options = _options(argv)
    try:
        if options.first and options.last and options.last < options.first:
            raise ReportError(f"--to {options.last} is before --from {options.first}")  # noqa: TRY301  # same exit
        with connect(server_url(options.database_url)) as connection:
            text = _page(Marts(connection, options.schema, options.organization), options)
        options.output.write_text(text, encoding="utf-8")
    except ReportError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename or options.output} cannot be written: {error.strerror}\n")
        return 1
    sys.stdout.write(f"{options.output.resolve()}\n")
    return 0


def _page(marts: Marts, options: argparse.Namespace) -> str:
    """The page of one organization, or that of several."""
    if marts.are_several:
        if options.first or options.last or options.picture:
            raise ReportError(
                "The marts have several organizations, which are never added up: --from, --to and --picture "
                "need one of them, chosen with --organization"
            )
        return fleet_page(marts.read_fleet(), now_in_utc(), note=options.note)
    numbers = marts.read(options.first, options.last)
    if options.picture:
        options.picture.write_bytes(picture(numbers))
    return page(numbers, now_in_utc(), organization=marts.organization, note=options.note)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run report", description=DESCRIPTION)
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="postgresql://user:password@host/database; better DATABASE_URL or TARGET_POSTGRES_* "
        "in the environment or in .env, because other users can see command lines",
    )
    parser.add_argument(
        "--schema",
        default=os.environ.get("DBT_MARTS_SCHEMA") or "genesys_marts",
        help="schema of the marts (default: DBT_MARTS_SCHEMA, or genesys_marts)",
    )
    parser.add_argument(
        "--organization",
        metavar="NAME",
        help="whose KPIs; without it, marts of several organizations become a page of how fresh and complete "
        "each is",
    )
    parser.add_argument(
        "--from", dest="first", type=_day, metavar="DAY", help="first day, such as 2026-03-01"
    )
    parser.add_argument("--to", dest="last", type=_day, metavar="DAY", help="last day, included")
    parser.add_argument(
        "--output", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw a picture, as PNG")
    parser.add_argument("--note", help="a line to show at the top")
    return parser.parse_args(argv)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-03-01") from None


if __name__ == "__main__":
    sys.exit(main())
