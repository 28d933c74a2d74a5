"""What the demo shows: SQL results as tables, and a heat map that fits 80 columns and needs no color."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from psycopg import sql
from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    import psycopg

    from demo.verification import TableCheck

    Connection: TypeAlias = psycopg.Connection[Any]

_BUSIEST_AGENTS = """
    SELECT name, sum(t_handle_count)::bigint, sum(t_handle_sum) / 60000.0 / sum(t_handle_count)
    FROM agent_performance JOIN users ON users.id = user_id WHERE media_type = 'voice'
    GROUP BY user_id, name HAVING sum(t_handle_count) > 0 ORDER BY 2 DESC, 1 LIMIT 5
"""
_SAMPLE_WEEK = """
    SELECT name, n_offered_count, n_outbound_count, t_answered_count, t_handle_count, t_handle_sum,
           o_service_level_ratio
    FROM sample_week JOIN queues ON queues.id = queue_id ORDER BY t_handle_sum DESC NULLS LAST, name
"""
_WEEKDAY_HOURS = """
    SELECT name, extract(hour FROM interval_start)::int,
           sum(conversation_count)::float / (SELECT count(DISTINCT interval_start::date)
               FROM conversation_aggregates WHERE extract(isodow FROM interval_start) < 6)
    FROM conversation_aggregates JOIN queues ON queues.id = routing_queue_id
    WHERE extract(isodow FROM interval_start) < 6 GROUP BY 1, 2
"""
_SHADES = ("  ", "░░", "▒▒", "▓▓", "██")
_COLORS = ("", "blue", "cyan", "yellow", "red")
_HOURS = 24
_WHOLE_NUMBERS_FROM = 100


def rows_since(connection: Connection, table: str, instant: datetime) -> int:
    """Count the rows of a table that were extracted at or after an instant."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE extracted_at >= %s").format(sql.Identifier(table))
    found = connection.execute(query, [instant.replace(tzinfo=None)]).fetchone()
    return int(found[0]) if found else 0


def checks(found: Iterable[TableCheck]) -> Table:
    """Render the comparison of each table with the rows expected in it."""
    table = _table("table", "rows in Postgres", "rows expected", "values")
    for check in found:
        good, bad = Text("all equal", "green"), Text(f"{check.differing} rows differ", "bold red")
        table.add_row(check.table, f"{check.rows:,}", f"{check.expected:,}", good if check.passed else bad)
    return table


def conclusion(found: Sequence[TableCheck]) -> str:
    """Say in one line whether Postgres holds the rows that the sandbox expects."""
    failed = [check.table for check in found if not check.passed]
    if failed:
        return f"✗ These tables differ from the sandbox's own books: {', '.join(failed)}."
    rows = sum(check.rows for check in found)
    return f"✓ All {rows:,} rows of {len(found)} tables equal the sandbox's own books."


def busiest_agents(connection: Connection) -> Table:
    """Query and render the five agents with the most handled voice conversations."""
    table = _table("agent", "handled", "minutes each")
    for name, handled, minutes in connection.execute(_BUSIEST_AGENTS):
        table.add_row(name, f"{handled:,}", f"{float(minutes):,.2f}")
    return table


def sample_week(connection: Connection) -> Table:
    """Query and render the week of real data, one row per queue. A missing value is a dash, not a zero."""
    table = _table("queue", "offered", "outbound", "answered", "handled", "hours", "in time")
    for queue, *counts, milliseconds, level in connection.execute(_SAMPLE_WEEK):
        hours = None if milliseconds is None else float(milliseconds) / 3_600_000
        share = None if level is None else f"{float(level):.0%}"
        table.add_row(queue, *("-" if value is None else _cell(value) for value in (*counts, hours, share)))
    return table


def weekday_hours(connection: Connection) -> dict[str, dict[int, float]]:
    """Query the voice conversations of an average weekday.

    Returns:
        Name of the queue → hour of the day, 0 to 23 (UTC) → conversations; the busiest queue first.
    """
    found: dict[str, dict[int, float]] = {}
    for queue, hour, number in connection.execute(_WEEKDAY_HOURS):
        found.setdefault(queue, {})[hour] = number
    return dict(sorted(found.items(), key=lambda item: -sum(item[1].values())))


def heat_map(by_queue: Mapping[str, Mapping[int, float]]) -> Table:
    """Render a row per queue and a column per hour, with the busiest hour of each queue at the end.

    Args:
        by_queue: As returned by ``weekday_hours``.
    """
    highest = _highest(by_queue)
    table = Table(box=None, padding=0, pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    table.add_column(Text("".join(f"{hour:<4}" for hour in range(0, _HOURS, 2))), no_wrap=True)
    table.add_column("busiest", justify="right", no_wrap=True)
    for queue, hours in by_queue.items():
        strip = Text()
        for hour in range(_HOURS):
            shade = _shade(hours.get(hour, 0), highest)
            strip.append(_SHADES[shade], _COLORS[shade])
        peak = max(hours, key=lambda hour: hours[hour], default=0)
        table.add_row(f"{queue}  ", strip, f" {_short(hours.get(peak, 0))} at {peak:02}")
    return table


def legend(by_queue: Mapping[str, Mapping[int, float]]) -> Text:
    """Render what each shade of the heat map stands for."""
    highest = _highest(by_queue)
    text = Text()
    steps = len(_SHADES) - 1
    for shade in range(1, len(_SHADES)):
        text.append(_SHADES[shade], _COLORS[shade])
        text.append(f" up to {_short(highest * shade / steps)}   ")
    return text.append("blank: none")


def _highest(by_queue: Mapping[str, Mapping[int, float]]) -> float:
    return max((number for hours in by_queue.values() for number in hours.values()), default=0)


def _short(number: float) -> str:
    return f"{number:.1f}" if number < _WHOLE_NUMBERS_FROM else f"{number:,.0f}"


def _shade(number: float, highest: float) -> int:
    """Return the index of the shade: 0 for nothing at all, then equal steps up to the highest number."""
    if number <= 0:
        return 0
    steps = len(_SHADES) - 1
    return max(1, min(steps, -int(-number * steps // highest)))


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
