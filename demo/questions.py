"""What the demo asks of Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from psycopg import sql

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

    Connection: TypeAlias = psycopg.Connection[Any]
    Answer: TypeAlias = tuple[list[str], list[list[object]]]

_BEST = """
    SELECT name, sum(t_handle_count)::bigint, sum(t_handle_sum) / 60000.0 / sum(t_handle_count)
    FROM agent_performance JOIN users ON users.id = user_id WHERE media_type = 'voice'
    GROUP BY user_id, name HAVING sum(t_handle_count) > 0 ORDER BY 2 DESC, 1 LIMIT 5
"""
_WEEK = """
    SELECT name, n_offered_count, n_outbound_count, t_answered_count, t_handle_count, t_handle_sum,
           o_service_level_ratio
    FROM sample_week JOIN queues ON queues.id = queue_id ORDER BY t_handle_sum DESC NULLS LAST, name
"""
_HOURS = """
    SELECT name, extract(hour FROM interval_start)::int,
           sum(conversation_count)::float / (SELECT count(DISTINCT interval_start::date)
               FROM conversation_aggregates WHERE extract(isodow FROM interval_start) < 6)
    FROM conversation_aggregates JOIN queues ON queues.id = routing_queue_id
    WHERE extract(isodow FROM interval_start) < 6 GROUP BY 1, 2
"""


def rows_since(connection: Connection, table: str, instant: datetime) -> int:
    """How many rows of a table were read at or after an instant."""
    question = sql.SQL("SELECT count(*) FROM {} WHERE extracted_at >= %s").format(sql.Identifier(table))
    found = connection.execute(question, [instant.replace(tzinfo=None)]).fetchone()
    return int(found[0]) if found else 0


def best_agents(connection: Connection) -> Answer:
    """Who handled most, and how long each took."""
    heads = ["agent", "handled", "minutes each"]
    return heads, [[name, handled, float(each)] for name, handled, each in connection.execute(_BEST)]


def real_week(connection: Connection) -> Answer:
    """The real week, a row a queue; what did not happen is a dash, not a nought."""
    heads = ["queue", "offered", "outbound", "answered", "handled", "hours", "in time"]
    rows: list[list[object]] = []
    for queue, offered, outbound, answered, handled, milliseconds, level in connection.execute(_WEEK):
        hours = None if milliseconds is None else float(milliseconds) / 3_600_000
        share = None if level is None else f"{float(level):.0%}"
        values = [offered, outbound, answered, handled, hours, share]
        rows.append([queue, *("-" if value is None else value for value in values)])
    return heads, rows


def by_hour(connection: Connection) -> dict[str, dict[int, float]]:
    """Voice conversations of an average weekday: queue's name → hour → how many."""
    found: dict[str, dict[int, float]] = {}
    for queue, hour, number in connection.execute(_HOURS):
        found.setdefault(queue, {})[hour] = number
    return dict(sorted(found.items(), key=lambda each: -sum(each[1].values())))
