"""What the page shows, as SQL on the marts. A ratio is a sum divided by a sum; what is missing is null."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
from psycopg import errors, sql

from report.errors import ReportError

if TYPE_CHECKING:
    from typing_extensions import LiteralString

Row: TypeAlias = "dict[str, Any]"

DAYS = 14
"""Length of the period if neither end is given."""
QUEUES_DRAWN, AGENTS_DRAWN = 8, 20
_NAMES_LISTED = 8

_COVERAGE = """
    select min(local_day) as first, max(local_day) as last, string_agg(distinct time_zone, ', ') as time_zone
    from {schema}.genesys__queue_day where {scope}
"""
_RANGE = "local_day between %(first)s and %(last)s and {scope}"

# Queues of the same name are told apart by their IDs.
_LABELS = """
    labels as (
      select queue_id, volume,
        case when count(*) over (partition by name) > 1 then name || ' · ' || left(queue_id, 8) else name end
          as queue
      from (
        select queue_id, coalesce(max(queue_name), queue_id) as name, sum(offered) as volume
        from {schema}.genesys__queue_day where {range} group by queue_id
      ) as names
    )
"""
_QUEUE_NUMBERS = """
    sum(offered)::float as offered,
    sum(answered)::float as answered,
    sum(abandoned)::float as abandoned,
    sum(handled)::float as handled,
    sum(answered)::float / nullif(sum(offered), 0) as answer_rate,
    sum(abandoned)::float / nullif(sum(offered), 0) as abandon_rate,
    sum(service_level_numerator)::float / nullif(sum(service_level_denominator), 0) as service_level,
    min(service_level_target)::float as lowest_target,
    max(service_level_target)::float as highest_target,
    sum(answer_milliseconds)::float / nullif(sum(answered), 0) / 1000 as average_speed_of_answer_seconds,
    sum(handle_milliseconds)::float / nullif(sum(handled), 0) / 1000 as average_handle_seconds
"""
_TOTALS = (
    "select "
    + _QUEUE_NUMBERS
    + """,
    count(distinct local_day) as days, count(distinct queue_id) as queues,
    string_agg(distinct media_type, ', ') as media_types, bool_and(is_final) as is_final
    from {schema}.genesys__queue_day where {range}
"""
)
_QUEUES = (
    "with "
    + _LABELS
    + "select queue, "
    + _QUEUE_NUMBERS
    + """
    from {schema}.genesys__queue_day join labels using (queue_id)
    where {range} group by queue_id, queue, volume order by volume desc, queue
"""
)
# An average counts the days on which the time of day lies between the first and the last interval loaded, so
# that a day that is not over yet does not lower its afternoon.
_INTERVALS = """
    intervals as (
      select queue_id, local_day, local_start::time as start, local_start, offered, answered,
        extract(epoch from interval_end - interval_start)::int / 60 as minutes,
        date_trunc('hour', local_start)::time
          + interval '30 minutes' * floor(extract(minute from local_start) / 30) as half_hour
      from (
        select *, interval_start::timestamp at time zone 'UTC' at time zone time_zone as local_start
        from {schema}.genesys__queue_interval
        where {range} and interval_end - interval_start < interval '1 day'
      ) as local_intervals
    ),
    loaded as (select min(local_start) as first_start, max(local_start) as last_start from intervals),
    days as (select distinct local_day from intervals)
"""
_PROFILE = (
    "with "
    + _INTERVALS
    + """,
    starts as (
      select time '00:00' + minute * interval '1 minute' as start
      from (select min(minutes) as step from intervals) as shortest
      cross join lateral generate_series(0, 1439, step) as minute
    ),
    sums as (select start, sum(offered) as offered, sum(answered) as answered from intervals group by start)
    select to_char(start, 'HH24:MI') as start, count(*) as days,
      coalesce(offered, 0)::float / count(*) as offered, coalesce(answered, 0)::float / count(*) as answered
    from starts left join sums using (start)
    join days on true join loaded on local_day + start between first_start and last_start
    group by start, offered, answered order by start
"""
)
_HEAT = (
    "with "
    + _LABELS
    + ", "
    + _INTERVALS
    + """,
    sums as (
      select queue_id, extract(isodow from local_day) as weekday, half_hour, sum(offered) as offered
      from intervals group by 1, 2, 3 having sum(offered) > 0
    ),
    drawn as (
      select queue_id, queue, volume from labels where volume > 0
      order by volume desc, queue limit %(queues)s
    )
    select queue, (array['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[weekday::int] as weekday,
      to_char(half_hour, 'HH24:MI') as half_hour, count(*) as days, offered::float / count(*) as offered
    from sums join drawn using (queue_id)
    join days on extract(isodow from local_day) = weekday
    join loaded on local_day + half_hour between date_trunc('hour', first_start) and last_start
    group by queue, volume, weekday, half_hour, offered order by volume desc, queue, sums.weekday, half_hour
"""
)
_SERVICE_LEVEL = (
    "with "
    + _LABELS
    + """,
    levels as (
      select queue, local_day, sum(service_level_numerator) as numerator,
        sum(service_level_denominator) as denominator, max(service_level_target) as target
      from {schema}.genesys__queue_day join labels using (queue_id)
      where {range} group by queue, local_day
    ),
    shown as (select queue from levels group by queue having sum(denominator) > 0),
    days as (select distinct local_day from levels)
    select queue, local_day as day, numerator::float / nullif(denominator, 0) as service_level,
      target::float as target
    from shown cross join days left join levels using (queue, local_day) order by queue, local_day
"""
)
_OCCUPANCY = """
    select sum(interacting_seconds)::float
        / nullif(sum(interacting_seconds + communicating_seconds + idle_seconds), 0) as occupancy,
      count(distinct user_id) as agents
    from {schema}.genesys__agent_day where {range}
"""
_STATUS = """
    with times as (
      select user_id, coalesce(max(user_name), user_id) as name, status, sum(seconds) / 3600 as hours
      from {schema}.genesys__agent_status_day
      where {range} and status_type = 'routing_status' group by user_id, status
    ),
    agents as (
      select user_id, sum(hours) as total, sum(case when status <> 'OFF_QUEUE' then hours end) as on_queue,
        max(name) as name
      from times group by user_id
    ),
    labels as (
      select user_id,
        case when count(*) over (partition by name) > 1 then name || ' · ' || left(user_id, 8) else name end
          as agent,
        total,
        row_number() over (order by coalesce(on_queue, 0) desc, name, user_id) as place
      from agents
    )
    select agent, status, hours::float as hours, (hours / nullif(total, 0))::float as share,
      (select sum(case when status = 'INTERACTING' then hours end) / nullif(sum(hours), 0) from times)::float
        as interacting_share_of_all
    from times join labels using (user_id) where place <= %(agents)s order by place, status
"""
_QUALITY = """
    select query, covered_from, covered_until, last_extracted_at, windows, gaps, missing_windows,
      missing_rows::float as missing_rows, built_at
    from {schema}.genesys__data_quality where {scope} order by query
"""
_ORGANIZATIONS = """
    select organization as name from {schema}.genesys__queue_day
    union select organization from {schema}.genesys__data_quality order by 1
"""
# An organization is as fresh as the query that was loaded least lately. Its last run is in each of its rows.
_FLEET = """
    select organization, count(query) as queries, count(missing_windows) as checked,
      (array_agg(query order by last_extracted_at))[1] as furthest_behind,
      min(last_extracted_at) as last_extracted_at, min(covered_until) as covered_until,
      sum(gaps) as gaps, sum(missing_windows) as missing_windows, sum(missing_rows)::float as missing_rows,
      min(last_run_status) as last_run_status, min(last_run_at) as last_run_at, min(last_error) as last_error
    from {schema}.genesys__data_quality group by organization order by organization
"""


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, both included.

    Attributes:
        first: The first day.
        last: The last day.
        time_zone: Whose days they are.
    """

    first: date
    last: date
    time_zone: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """All that the page shows. Agents' rows are None if their queries are not loaded."""

    period: Period
    totals: Row
    queues: list[Row]
    profile: list[Row]
    heat: list[Row]
    service_level: list[Row]
    occupancy: Row | None
    status: list[Row] | None
    quality: list[Row]


class Marts:
    """The marts in one schema: the numbers of one organization, or how fresh and complete each of several is.

    Attributes:
        organization: Whose numbers they are; None if there are no organizations, or several.
        are_several: Whether they have several organizations, of which none was chosen.
    """

    def __init__(
        self, connection: psycopg.Connection[Row], schema: str, organization: str | None = None
    ) -> None:
        """Check that the marts are there.

        Args:
            connection: An open connection, in UTC.
            schema: Schema of the marts.
            organization: The organization, where the marts have several.

        Raises:
            ReportError: There are no marts, or the organization does not fit them.
        """
        self._connection = connection
        self._schema = schema
        self._values: dict[str, object] = {"queues": QUEUES_DRAWN, "agents": AGENTS_DRAWN}
        self._scope = sql.SQL("true")
        self.organization = organization
        self.are_several = False
        if not self._has("genesys__queue_day"):
            raise ReportError(
                f"There is no table {schema}.genesys__queue_day: build the marts first, with ./run dbt build "
                "(or name their schema with --schema)"
            )
        self._choose(organization)

    def read(self, first: date | None, last: date | None) -> Numbers:
        """Read a period.

        Args:
            first: First day; by default two weeks before the end.
            last: Last day, included; by default the last one that the marts have.

        Raises:
            ReportError: The marts have no row in it.
        """
        (coverage,) = self._rows(_COVERAGE)
        if coverage["last"] is None:
            what = f"has no rows of {self.organization}" if self.organization else "is empty"
            raise ReportError(
                f"{self._schema}.genesys__queue_day {what}: load queue_performance, "
                "and run ./run dbt build again"
            )
        last = last or coverage["last"]
        first = first or max(coverage["first"], last - timedelta(days=DAYS - 1))
        self._values |= {"first": first, "last": last}
        (totals,) = self._rows(_TOTALS)
        if not totals["days"]:
            raise ReportError(
                f"{self._schema}.genesys__queue_day has no rows from {first} to {last}; "
                f"it has days from {coverage['first']} to {coverage['last']}"
            )
        has_agents, has_status = self._has("genesys__agent_day"), self._has("genesys__agent_status_day")
        return Numbers(
            period=Period(first, last, coverage["time_zone"]),
            totals=totals,
            queues=self._rows(_QUEUES),
            profile=self._rows(_PROFILE),
            heat=self._rows(_HEAT),
            service_level=self._rows(_SERVICE_LEVEL),
            occupancy=self._rows(_OCCUPANCY)[0] if has_agents else None,
            status=self._rows(_STATUS) if has_status else None,
            quality=self._rows(_QUALITY),
        )

    def read_fleet(self) -> list[Row]:
        """Read how fresh and complete each organization is: a row each, by name."""
        return self._rows(_FLEET)

    def _choose(self, organization: str | None) -> None:
        found = self._execute(
            "select 1 from pg_attribute where attrelid = to_regclass(%(table)s) and attname = 'organization'",
            {"table": self._quoted("genesys__queue_day")},
        )
        if not found:
            if organization is not None:
                raise ReportError("The marts have no column organization: leave out --organization")
            return
        names = [row["name"] for row in self._rows(_ORGANIZATIONS)]
        if organization is not None and organization not in names:
            likely = ", ".join(get_close_matches(organization, names) or names[:_NAMES_LISTED])
            rest = f" (of {len(names)})" if len(names) > _NAMES_LISTED else ""
            raise ReportError(f"The marts have no organization {organization!r}; they have {likely}{rest}")
        self.are_several = organization is None and len(names) > 1
        if not self.are_several:
            self.organization = organization or (names[0] if names else None)
        self._values["organization"] = self.organization
        self._scope = sql.SQL("organization = %(organization)s")

    def _rows(self, text: LiteralString) -> list[Row]:
        """The rows of a query, with numbers as Python has them."""
        schema = sql.Identifier(self._schema)
        days = sql.SQL(_RANGE).format(scope=self._scope)
        statement = sql.SQL(text).format(schema=schema, scope=self._scope, range=days)
        rows = self._execute(statement, self._values)
        return [{name: _plain(value) for name, value in row.items()} for row in rows]

    def _execute(
        self, statement: LiteralString | sql.Composed, values: dict[str, object] | None = None
    ) -> list[Row]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except errors.InsufficientPrivilege:
            raise ReportError(
                f"The database user may not read {self._schema}: grant it USAGE on the schema "
                "and SELECT on its tables"
            ) from None
        except (errors.UndefinedTable, errors.UndefinedColumn) as error:
            raise ReportError(
                f"The marts in {self._schema} are incomplete ({error.diag.message_primary}): "
                "build them again, with ./run dbt build --full-refresh"
            ) from None
        except psycopg.Error as error:
            raise ReportError(
                f"The database could not read {self._schema}: "
                f"{error.diag.message_primary or type(error).__name__}"
            ) from None

    def _has(self, table: str) -> bool:
        (row,) = self._execute(
            "select to_regclass(%(table)s) is not null as found", {"table": self._quoted(table)}
        )
        return bool(row["found"])

    def _quoted(self, table: str) -> str:
        return sql.Identifier(self._schema, table).as_string()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):  # the marts have UTC, some without saying so
        return value.replace(tzinfo=value.tzinfo or timezone.utc)
    return value
