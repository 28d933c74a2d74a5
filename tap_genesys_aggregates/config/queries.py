"""Queries: entries of ``queries`` with presets and defaults filled in, and checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo, available_timezones

from tap_genesys_aggregates.config.families import (
    GROUP_TREE_PATH,
    QUALIFIED_METRICS,
    Family,
    conflict,
    families,
    settling_days,
)
from tap_genesys_aggregates.config.reader import Reader, suggestion
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS
from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.query import (
    VIEW_KINDS,
    Api,
    Mode,
    OnQueryChange,
    Query,
    Shape,
    View,
    column,
)
from tap_genesys_aggregates.core.statistics import STATISTICS
from tap_genesys_aggregates.dialects.lookup_lists import lookups

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tap_genesys_aggregates.core.periods import Period

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MAX_NAME_LENGTH = 50
"""PostgreSQL cuts names after 63 bytes, and views and indexes add to the name of a query."""
_JOB_PAGE_SIZE = 1_000
RESERVED = frozenset({"extractions", "extractions_gaps", *lookups()})
"""Names of the tap's own streams, and of the view of one of them."""
WIRE_NAMES = {
    "flatten_multivalued_dimensions": "flattenMultivaluedDimensions",
    "alternate_time_dimension": "alternateTimeDimension",
    "query_type": "queryType",
    "sort_metric": "sortMetric",
    "limit": "limit",
}
"""Fields that are sent unchanged → the API's names for them."""
_RESULTS_ONLY = (*WIRE_NAMES, "views", "endpoint", "mode")


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Presets by name: fields of a query, plus ``api`` and ``description``."""
    text = resources.files("tap_genesys_aggregates").joinpath("data/presets.json").read_text("utf-8")
    return cast("dict[str, dict[str, Any]]", json.loads(text))


def default_queries(api: Api) -> list[object]:
    """The queries of a config that does not list any."""
    names = {
        "results": ("queue_performance", "agent_performance"),
        "group_tree": ("conversation_aggregates",),
    }
    return [{"preset": name} for name in names[api]]


@dataclass(frozen=True, slots=True)
class QueryDefaults:
    """What the config sets for all queries."""

    api: Api
    lookback_days: float
    lookback_is_set: bool
    window: Period
    max_window: Period
    page_size: int
    recheck_requests: int
    on_change: OnQueryChange
    organization: str | None = None

    def window_for(self, mode: Mode) -> Period:
        """The window. Every job takes a while, however short its window, so jobs get the longest one."""
        return self.max_window if mode == "async" else self.window

    def page_size_for(self, mode: Mode) -> int:
        """The page size. Jobs are for large results, so they get larger pages."""
        return max(self.page_size, _JOB_PAGE_SIZE) if mode == "async" else self.page_size


def read_queries(entries: Sequence[object], defaults: QueryDefaults) -> tuple[Query, ...]:
    """Read and check all entries of ``queries``.

    Args:
        entries: The entries as the user wrote them.
        defaults: What the config sets for all queries.

    Returns:
        The queries, in the user's order.

    Raises:
        SettingError: An entry is wrong, or two have the same name.
    """
    found: dict[str, Query] = {}
    for number, entry in enumerate(entries):
        query = _QueryReader(entry, f"queries[{number}].", defaults).query()
        problem = _name_conflict(query.name, found)
        if problem:
            raise Reader({}, QUERY_FIELDS, f"queries[{number}].").error("name", problem)
        found[query.name] = query
    return tuple(found.values())


def _name_conflict(name: str, earlier: Collection[str]) -> str:
    """Why a name cannot be used next to those of earlier queries; nothing if it can."""
    if name in earlier:
        return f"{name!r} is already the name of an earlier query; choose another"
    for each in earlier:
        for table, query in ((name, each), (each, name)):
            if table in {f"{query}_{kind}" for kind in VIEW_KINDS}:
                return f"{name!r} cannot be used: {table!r} is a view of query {query!r} too; choose another"
    return ""


class _QueryReader:
    """Reads one entry of ``queries``."""

    def __init__(self, entry: object, prefix: str, defaults: QueryDefaults) -> None:
        empty = Reader({}, QUERY_FIELDS, prefix)
        if isinstance(entry, str):
            entry = {"preset": entry}
        if not isinstance(entry, dict):
            raise SettingError(f"{prefix.rstrip('.')} must be a preset, or an object with a name and metrics")
        self._defaults = defaults
        self._api = defaults.api
        self._written = {key: value for key, value in entry.items() if value is not None}
        self._values = {**self._preset(empty), **self._written}
        self._read = Reader(self._values, QUERY_FIELDS, prefix)
        self._read.refuse_unknown()

    def _preset(self, empty: Reader) -> dict[str, object]:
        """The fields of the entry's preset, if it has one."""
        name = self._written.get("preset")
        if name is None:
            return {}
        preset = presets().get(name) if isinstance(name, str) else None
        if preset is None:
            hint = suggestion(str(name), presets()) or f"; there are {', '.join(presets())}"
            raise empty.error("preset", f"{str(name)[:80]!r} does not exist{hint}")
        if preset["api"] != self._api:
            others = ", ".join(each for each, one in presets().items() if one["api"] == self._api)
            advice = f"Set api: {preset['api']} if the host serves that; presets of {self._api} are {others}"
            raise empty.error("preset", f"{name!r} is for api: {preset['api']}, not api: {self._api}", advice)
        return {
            "name": name,
            **{key: value for key, value in preset.items() if key not in {"api", "description"}},
        }

    def query(self) -> Query:
        """The complete query."""
        read = self._read
        name = self._name()
        metrics = read.names("metrics")
        if not metrics:
            raise read.error("metrics", "must list at least one metric, in the API's own spelling")
        family = self._family()
        mode = self._mode(family)
        group_by, implicit = self._group_by()
        granularity, anchor = read.duration("granularity"), read.date("anchor")
        if granularity is None or anchor is None:  # both have defaults
            raise read.missing("granularity")
        zone = _zone(read)
        query = Query(
            name=name,
            api=self._api,
            path=self._path(family),
            endpoint=self._endpoint,
            group_by=group_by,
            metrics=metrics,
            granularity=granularity,
            window=read.duration("window") or self._defaults.window_for(mode),
            lookback=timedelta(days=self._lookback()),
            zone=zone,
            anchor=anchor,
            shape=cast("Shape", read.text("shape")),
            filter=read.mapping("filter"),
            views=_views(read),
            extra=_extra_fields(read),
            implicit_dimensions=implicit,
            qualified=bool(QUALIFIED_METRICS.intersection(metrics)),
            page_size=int(read.number("page_size") or self._defaults.page_size_for(mode)),
            mode=mode,
            jobs_path=family.async_jobs if family else None,
            recheck_requests=self._recheck_requests(),
            on_change=cast("OnQueryChange", read.text("on_query_change") or self._defaults.on_change),
            statistics=_statistics(read),
            organization=self._defaults.organization,
        )
        found = conflict(query)
        if found is not None:
            raise read.error(*found)
        schema.columns(query)  # refuses two settings that would make the same column
        return query

    @property
    def _endpoint(self) -> str | None:
        """The name of the family, if the query is for a known one."""
        if self._api == "group_tree" or ("path" in self._values and "endpoint" not in self._written):
            return None
        return self._read.text("endpoint")

    def _name(self) -> str:
        """The stream's name."""
        name = self._read.required("name")
        if name in RESERVED:
            raise self._read.error(
                "name", f"{name!r} is the name of one of the tap's own streams or views; choose another"
            )
        if not _NAME.fullmatch(name) or len(name) > _MAX_NAME_LENGTH:
            rules = f"must match ^[a-z][a-z0-9_]*$ and have at most {_MAX_NAME_LENGTH} characters"
            raise self._read.error("name", f"{rules}; {name[:80]!r} does not")
        return name

    def _family(self) -> Family | None:
        """The family, if it is known. Fields of the results API are refused on a group-tree host."""
        if self._api == "group_tree":
            for field in _RESULTS_ONLY:
                if field in self._written:
                    raise self._read.error(
                        field, "is not available on a group-tree host; it requires api: results"
                    )
            if self._read.text("shape") == "long":
                raise self._read.error(
                    "shape", "must be wide on a group-tree host, which returns one number per metric"
                )
            return None
        if self._endpoint is None:
            return None
        family = families().get(self._endpoint)
        if family is None:
            problem = f"{self._endpoint!r} is not a known family (for a family that is newer, set path)"
            raise self._read.error("endpoint", problem + suggestion(self._endpoint, families()))
        return family

    def _mode(self, family: Family | None) -> Mode:
        """How the query is asked; a family that has jobs only needs no ``mode``."""
        jobs_only = family is not None and family.path is None
        return "async" if jobs_only and "mode" not in self._values else cast("Mode", self._read.text("mode"))

    def _group_by(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The dimensions to ask for, and those that may come unasked."""
        names = self._read.names("group_by") or ()
        if self._endpoint == "users" and "userId" in names:  # which alone can be asked for
            return ("userId",), tuple(name for name in names if name != "userId")
        return names, ("mediaType",) if self._endpoint == "conversations" else ()

    def _path(self, family: Family | None) -> str:
        """The path to post the query to; a family that has jobs only has the path of its jobs."""
        path = self._read.text("path")
        if path is None:
            return (family.path or family.async_jobs or "") if family else GROUP_TREE_PATH
        if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", path) or path.startswith("//"):
            raise self._read.error(
                "path", f"must be a path on the API host that begins with /, not {path[:80]!r}"
            )
        return path

    def _recheck_requests(self) -> int:
        """How many settled months a run looks at again: the query's own number, or the config's."""
        own = self._read.number("recheck_requests")
        return self._defaults.recheck_requests if own is None else int(own)

    def _lookback(self) -> float:
        """The lookback in days: the query's own, the config's, or what the family needs."""
        own = self._read.number("lookback_days")
        if own is not None:
            return own
        settling = settling_days(self._endpoint, self._read.text("alternate_time_dimension"))
        return (
            self._defaults.lookback_days
            if self._defaults.lookback_is_set
            else max(settling, self._defaults.lookback_days)
        )


def _zone(read: Reader) -> ZoneInfo:
    """The time zone."""
    name = str(read.text("time_zone"))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = suggestion(name[:80], available_timezones())
        problem = f"{name[:80]!r} is not a time zone; use an IANA name such as Europe/London{hint}"
        raise read.error("time_zone", problem) from None


def _views(read: Reader) -> tuple[View, ...]:
    """The views, in the form of the API."""
    found = []
    for each in read.items("views") or ():
        if (
            not isinstance(each, dict)
            or not isinstance(each.get("name"), str)
            or not isinstance(each.get("target"), str)
        ):
            raise read.error(
                "views", "must list views with name, target, function and range, as the API has them"
            )
        found.append(View(each["name"], each["target"], each))
    return tuple(found)


def _statistics(read: Reader) -> dict[str, tuple[str, ...]]:
    """Metric or view → statistics, where the user overrides them; any name will do."""
    found = {}
    for metric, names in (read.mapping("statistics") or {}).items():
        listed = [names] if isinstance(names, str) else names
        for name in listed if isinstance(listed, list) and listed else [None]:
            if not isinstance(name, str) or not column(name):
                known = ", ".join(STATISTICS)
                raise read.error(
                    "statistics",
                    f"must have a list of names for {metric[:60]}, in the API's spelling, such as: {known}",
                )
        found[metric] = tuple(cast("list[str]", listed))
    return found


def _extra_fields(read: Reader) -> dict[str, object]:
    """Fields that are sent unchanged, by the API's names."""
    limit = read.number("limit")
    values: Mapping[str, object] = {
        "flatten_multivalued_dimensions": read.boolean("flatten_multivalued_dimensions"),
        "alternate_time_dimension": read.text("alternate_time_dimension"),
        "query_type": read.text("query_type"),
        "sort_metric": read.mapping("sort_metric"),
        "limit": None if limit is None else int(limit),
    }
    return {WIRE_NAMES[name]: value for name, value in values.items() if value is not None}
