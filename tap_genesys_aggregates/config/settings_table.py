"""The table of settings: the name, type, default and description of each.

The config schema of ``tap.py``, ``meltano.yml``, ``.env.example`` and ``docs/reference.md`` are generated
from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "string", "url", "date", "date-time", "duration", "integer", "number", "array", "object", "boolean"
]

PREFIX = "TAP_GENESYS_AGGREGATES_"
"""Prefix of the environment variables."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, or a field of a query.

    Attributes:
        name: Its name in the config.
        kind: Its type.
        description: Its description, shown to users.
        default: The value if it is not set.
        required: Whether it must be set.
        secret: Whether its value must never be shown.
        minimum: Smallest number allowed.
        maximum: Largest number allowed.
        choices: The only values allowed, if any.
        alias: A second environment variable for it.
    """

    name: str
    kind: Kind
    description: str
    default: str | int | float | bool | None = None
    required: bool = False
    secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    alias: str | None = None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper()

    @property
    def json_schema(self) -> dict[str, object]:
        """Its JSON schema, for discovery. The checks themselves are made in ``config/settings.py``."""
        kind = "string" if self.kind in {"url", "date", "date-time", "duration"} else self.kind
        with_text = {
            "integer": ["integer", "string"],
            "number": ["number", "string"],
            "array": ["array", "string"],
        }
        return {
            "type": with_text.get(kind, [kind]) if self.required else [*with_text.get(kind, [kind]), "null"],
            "description": self.description,
            **({"default": self.default} if self.default is not None else {}),
            **({"secret": True, "writeOnly": True} if self.secret else {}),
            # The SDK requires it to read an array from the environment.
            **({"items": {"type": ["object", "string"]}} if kind == "array" else {}),
        }


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "client_id",
            "string",
            "ID of the OAuth client (client credentials grant).",
            required=True,
            alias="GENESYS_CLIENT_ID",
        ),
        Setting(
            "client_secret",
            "string",
            "Secret of the OAuth client.",
            required=True,
            secret=True,
            alias="GENESYS_CLIENT_SECRET",
        ),
        Setting(
            "region",
            "string",
            "Genesys Cloud region: a name such as eu_west_1 or eu-west-1, or a bare domain such as "
            "mypurecloud.ie.",
            default="us_east_1",
            alias="GENESYS_REGION",
        ),
        Setting(
            "base_url",
            "url",
            "URL of the API host, for a gateway or a sandbox. Overrides region.",
            alias="GENESYS_BASE_URL",
        ),
        Setting(
            "token_url",
            "url",
            "URL that issues tokens. Defaults to the login host of the region, or to <base_url>/oauth/token.",
        ),
        Setting(
            "api",
            "string",
            "The API of the host. auto means results on Genesys Cloud domains and group_tree elsewhere.",
            default="auto",
            choices=("auto", "results", "group_tree"),
        ),
        Setting(
            "organization",
            "string",
            "Name of this organization. If set, it is the first key column of every table, so that several "
            "organizations can share tables.",
        ),
        Setting(
            "start_date",
            "date-time",
            "Load data from this date-time on, such as 2025-01-01T00:00:00Z; a date alone is midnight UTC.",
            required=True,
        ),
        Setting(
            "end_date",
            "date-time",
            "Load data before this date-time. Defaults to the end of the last complete bucket.",
        ),
        Setting(
            "queries",
            "array",
            "Queries to load, one stream each: objects, or just names of presets. "
            "Defaults to the presets of the API.",
        ),
        Setting(
            "lookback_days",
            "number",
            "Number of days before now that every run reads again, because history changes.",
            default=7,
            minimum=0,
            maximum=3660,
        ),
        Setting(
            "recheck_requests",
            "integer",
            "Number of settled months that each run of a query asks for again, in one coarse request each. "
            "Months that changed are read again. 0 turns it off.",
            default=1,
            minimum=0,
            maximum=1200,
        ),
        Setting(
            "on_query_change",
            "string",
            "What to do if a query is no longer the one that its state was written for: stop, continue with "
            "the old rows as they are, or reload everything from start_date.",
            default="stop",
            choices=("stop", "continue", "reload"),
        ),
        Setting(
            "window",
            "duration",
            "Period that one request covers, to begin with.",
            default="P1D",
        ),
        Setting(
            "max_window",
            "duration",
            "Longest period that one request may cover. Windows grow up to it while answers are small.",
            default="P31D",
        ),
        Setting(
            "concurrency",
            "integer",
            "Maximum number of concurrent requests.",
            default=4,
            minimum=1,
            maximum=16,
        ),
        Setting(
            "requests_per_minute",
            "integer",
            "Maximum number of requests per minute in one run.",
            default=300,
            minimum=1,
            maximum=100_000,
        ),
        Setting(
            "page_size",
            "integer",
            "Rows per page, where the API has pages.",
            default=25,
            minimum=1,
            maximum=10_000,
        ),
        Setting(
            "request_timeout",
            "number",
            "Maximum number of seconds for one request.",
            default=60,
            minimum=0.01,
            maximum=3600,
        ),
        Setting(
            "max_retries",
            "integer",
            "Number of retries per request, after the first attempt.",
            default=5,
            minimum=0,
            maximum=100,
        ),
        Setting(
            "user_agent", "string", "User-Agent header of every request.", default="tap-genesys-aggregates"
        ),
    )
}

QUERY_FIELDS: dict[str, Setting] = {
    field.name: field
    for field in (
        Setting(
            "name",
            "string",
            "Name of the stream and its table. Must match ^[a-z][a-z0-9_]*$ and have at most 50 characters.",
            required=True,
        ),
        Setting("preset", "string", "Preset to start from. Other fields of the query override its fields."),
        Setting("endpoint", "string", "Family of aggregates to query (results).", default="conversations"),
        Setting(
            "path", "string", "Path to post the query to, for a family that this version does not know yet."
        ),
        Setting(
            "group_by", "array", "Dimensions to group by, in the API's own spelling; one alone needs no list."
        ),
        Setting(
            "metrics", "array", "Metrics to load, at least one, in the API's own spelling.", required=True
        ),
        Setting(
            "granularity",
            "duration",
            "Length of a bucket, such as PT15M, PT1H, P1D, P1W or P1M.",
            default="P1D",
        ),
        Setting(
            "anchor",
            "date",
            "Local date on which a bucket begins, for buckets of several days or weeks.",
            default="1970-01-05",
        ),
        Setting("filter", "object", "Filter of the query, sent unchanged."),
        Setting(
            "time_zone",
            "string",
            "IANA time zone in which days begin, including daylight saving time.",
            default="UTC",
        ),
        Setting("views", "array", "Views (ranges of timers), in the form of the API (results)."),
        Setting("flatten_multivalued_dimensions", "boolean", "Sent unchanged (results)."),
        Setting("alternate_time_dimension", "string", "Sent unchanged (results)."),
        Setting("query_type", "string", "groupBy, topN or bottomN (results)."),
        Setting("sort_metric", "object", "Metric to rank by: name and function (results)."),
        Setting(
            "limit",
            "integer",
            "Number of groups that topN or bottomN returns (results).",
            minimum=1,
            maximum=100_000,
        ),
        Setting(
            "lookback_days", "number", "Overrides lookback_days for this query.", minimum=0, maximum=3660
        ),
        Setting(
            "recheck_requests",
            "integer",
            "Overrides recheck_requests for this query.",
            minimum=0,
            maximum=1200,
        ),
        Setting(
            "on_query_change",
            "string",
            "Overrides on_query_change for this query.",
            choices=("stop", "continue", "reload"),
        ),
        Setting("window", "duration", "Overrides window for this query. Jobs default to max_window."),
        Setting(
            "page_size",
            "integer",
            "Overrides page_size for this query. Jobs default to at least 1000.",
            minimum=1,
            maximum=10_000,
        ),
        Setting(
            "shape",
            "string",
            "wide: one column per metric and statistic; long: one row per metric.",
            default="wide",
            choices=("wide", "long"),
        ),
        Setting(
            "mode",
            "string",
            "sync: one request per window; async: one job per window, for long windows (results). "
            "A family with jobs only (socialmedia) needs no mode.",
            default="sync",
            choices=("sync", "async"),
        ),
        Setting(
            "statistics",
            "object",
            "Metric → list of statistics, if you want fewer, or a metric has others than the tap expects; "
            "any name is accepted. A known statistic that is not listed has no column in wide rows.",
        ),
    )
}

CONFIG_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {name: setting.json_schema for name, setting in SETTINGS.items()},
    "required": [name for name, setting in SETTINGS.items() if setting.required],
}
