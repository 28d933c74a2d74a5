"""The settings by name: kind, default, meaning. The one place where they are written.

``tap.py``'s config schema, ``meltano.yml``, ``.env.example`` and the README are generated from this
table or tested against it. The names are those of the settings contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "url", "date-time", "duration", "integer", "number", "array", "object", "boolean"]

PREFIX = "TAP_GENESYS_AGGREGATES_"
"""What the environment variable of every setting begins with."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, or one field of a query.

    Attributes:
        name: As users write it.
        kind: What it must be.
        description: What it means, in one line.
        default: Used where it is not set.
        required: Whether it must be set.
        secret: Whether it must never be shown.
        minimum: Smallest number allowed.
        maximum: Largest number allowed.
        choices: The only texts allowed.
        alias: A second environment variable that is read.
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
        """Its JSON schema, for the catalogue of settings; checks are made in ``settings.py``."""
        kind = "string" if self.kind in {"url", "date-time", "duration"} else self.kind
        lenient = {
            "integer": ["integer", "string"],
            "number": ["number", "string"],
            "array": ["array", "string"],
        }
        return {
            "type": lenient.get(kind, [kind]) if self.required else [*lenient.get(kind, [kind]), "null"],
            "description": self.description,
            **({"default": self.default} if self.default is not None else {}),
            **({"secret": True, "writeOnly": True} if self.secret else {}),
            # The SDK asks for it where it reads an array from the environment.
            **({"items": {"type": "object"}} if kind == "array" else {}),
        }


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting(
            "client_id",
            "string",
            "Id of the OAuth client (client credentials).",
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
            "A region's name such as eu_west_1, or a bare domain such as mypurecloud.ie.",
            default="us_east_1",
            alias="GENESYS_REGION",
        ),
        Setting(
            "base_url",
            "url",
            "The API host itself, for a gateway or a sandbox; wins over region.",
            alias="GENESYS_BASE_URL",
        ),
        Setting(
            "token_url",
            "url",
            "Where tokens come from: by default the region's login host, else <base_url>/oauth/token.",
        ),
        Setting(
            "api",
            "string",
            "The contract spoken; auto takes results on a Genesys Cloud domain, else group_tree.",
            default="auto",
            choices=("auto", "results", "group_tree"),
        ),
        Setting(
            "start_date", "date-time", "First instant wanted, such as 2025-01-01T00:00:00Z.", required=True
        ),
        Setting("end_date", "date-time", "Exclusive end; by default the last bucket that is complete now."),
        Setting("queries", "array", "One stream each; by default the presets of the api."),
        Setting(
            "lookback_days",
            "number",
            "How many days back from now every run reads again, because history changes.",
            default=7,
            minimum=0,
            maximum=3660,
        ),
        Setting(
            "window",
            "duration",
            "The longest stretch asked for in one request, to begin with.",
            default="P1D",
        ),
        Setting(
            "max_window",
            "duration",
            "The ceiling to which windows may grow while answers stay small.",
            default="P31D",
        ),
        Setting("concurrency", "integer", "Requests in flight.", default=4, minimum=1, maximum=16),
        Setting(
            "requests_per_minute", "integer", "Pace kept, per run.", default=300, minimum=1, maximum=100_000
        ),
        Setting(
            "page_size",
            "integer",
            "Rows a page, where the contract has pages.",
            default=25,
            minimum=1,
            maximum=10_000,
        ),
        Setting(
            "request_timeout",
            "number",
            "Seconds that one request may take.",
            default=60,
            minimum=0.01,
            maximum=3600,
        ),
        Setting(
            "max_retries", "integer", "Tries after the first, per request.", default=5, minimum=0, maximum=100
        ),
        Setting("user_agent", "string", "Sent with every request.", default="tap-genesys-aggregates"),
    )
}

QUERY_FIELDS: dict[str, Setting] = {
    field.name: field
    for field in (
        Setting("name", "string", "The stream's name, and so the table's: ^[a-z][a-z0-9_]*$.", required=True),
        Setting("preset", "string", "A preset to begin with; fields beside it override."),
        Setting("endpoint", "string", "The family asked (results).", default="conversations"),
        Setting("path", "string", "Another path, for a family that this version does not know yet."),
        Setting("group_by", "array", "Dimensions, in the API's own spelling."),
        Setting("metrics", "array", "At least one, in the API's own spelling.", required=True),
        Setting(
            "granularity",
            "duration",
            "Length of a bucket, such as PT15M, PT1H, P1D, P1W or P1M.",
            default="P1D",
        ),
        Setting("filter", "object", "Sent as it is."),
        Setting(
            "time_zone", "string", "Where days begin, through daylight saving: an IANA name.", default="UTC"
        ),
        Setting("views", "array", "Ranges over timers, as the API has them (results)."),
        Setting("flatten_multivalued_dimensions", "boolean", "Sent as it is (results)."),
        Setting("alternate_time_dimension", "string", "Sent as it is (results)."),
        Setting("query_type", "string", "groupBy, topN or bottomN (results)."),
        Setting("sort_metric", "object", "What topN sorts by: name and function (results)."),
        Setting("limit", "integer", "How many groups topN gives (results).", minimum=1, maximum=100_000),
        Setting("lookback_days", "number", "The look-back of this query alone.", minimum=0, maximum=3660),
        Setting("window", "duration", "The window of this query alone; a job's is max_window by default."),
        Setting(
            "page_size",
            "integer",
            "The page size of this query alone; a job's is 1000 at least by default.",
            minimum=1,
            maximum=10_000,
        ),
        Setting(
            "shape",
            "string",
            "wide: a column a metric and statistic; long: a row a metric.",
            default="wide",
            choices=("wide", "long"),
        ),
        Setting(
            "mode",
            "string",
            "sync: one request a window; async: a job a window, for windows that are long (results).",
            default="sync",
            choices=("sync", "async"),
        ),
        Setting(
            "statistics",
            "object",
            "Metric → list of statistics, where a metric brings others than its first letter says (results).",
        ),
    )
}

CONFIG_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {name: setting.json_schema for name, setting in SETTINGS.items()},
    "required": [name for name, setting in SETTINGS.items() if setting.required],
}
