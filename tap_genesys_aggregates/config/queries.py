"""Entries of ``queries`` → checked queries: presets, families, defaults."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from tap_genesys_aggregates.config import checks
from tap_genesys_aggregates.config.checks import nearest
from tap_genesys_aggregates.config.families import GROUP_TREE_PATH, QUALIFIED, Family, families, settles_after
from tap_genesys_aggregates.config.reader import Reader
from tap_genesys_aggregates.config.settings_table import QUERY_FIELDS
from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.query import Api, Mode, Query, Shape, View
from tap_genesys_aggregates.core.statistics import STATISTICS
from tap_genesys_aggregates.dialects.lookup_lists import lookups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tap_genesys_aggregates.core.periods import Period

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 63
_JOB_PAGE = 1_000
RESERVED = frozenset({"extractions", *lookups()})
"""Streams that the tap brings along."""
WIRE_NAMES = {
    "flatten_multivalued_dimensions": "flattenMultivaluedDimensions",
    "alternate_time_dimension": "alternateTimeDimension",
    "query_type": "queryType",
    "sort_metric": "sortMetric",
    "limit": "limit",
}
"""Fields that are sent as they are, and what the wire calls them."""
_RESULTS_ONLY = (*WIRE_NAMES, "views", "endpoint", "mode", "statistics")


@cache
def presets() -> dict[str, dict[str, Any]]:
    """The presets by name: fields of a query, with ``api`` and ``says`` beside them."""
    text = resources.files("tap_genesys_aggregates").joinpath("data/presets.json").read_text("utf-8")
    return cast("dict[str, dict[str, Any]]", json.loads(text))


def default_queries(api: Api) -> list[object]:
    """What is asked where the config names no queries."""
    names = {
        "results": ("queue_performance", "agent_performance"),
        "group_tree": ("conversation_aggregates",),
    }
    return [{"preset": name} for name in names[api]]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the config says for every query."""

    api: Api
    lookback_days: float
    lookback_is_set: bool
    window: Period
    max_window: Period
    start: datetime
    page_size: int

    def window_of(self, mode: Mode) -> Period:
        """The window: a job takes a moment however short it is, so one asks for as much as it may."""
        return self.max_window if mode == "async" else self.window

    def page_size_of(self, mode: Mode) -> int:
        """The size of a page: a tree's are small, and a job is for what is large."""
        return max(self.page_size, _JOB_PAGE) if mode == "async" else self.page_size


def read_queries(entries: Sequence[object], defaults: Defaults) -> tuple[Query, ...]:
    """Check every entry.

    Args:
        entries: ``queries`` as the user wrote it.
        defaults: What the config says for every query.

    Returns:
        The queries, in the user's order.

    Raises:
        SettingError: One is wrong, or two have one name.
    """
    found: dict[str, Query] = {}
    for number, entry in enumerate(entries):
        query = _QueryReader(entry, f"queries[{number}].", defaults).query()
        if query.name in found:
            raise Reader({}, QUERY_FIELDS, f"queries[{number}].").refuse(
                "name", f"{query.name!r} is the name of an earlier query; each query needs a name of its own"
            )
        found[query.name] = query
    return tuple(found.values())


class _QueryReader:
    """Reads one entry of ``queries``."""

    def __init__(self, entry: object, place: str, defaults: Defaults) -> None:
        empty = Reader({}, QUERY_FIELDS, place)
        if not isinstance(entry, dict):
            raise empty.refuse("name", "a query wants an object with a name and metrics")
        self._defaults = defaults
        self._api = defaults.api
        self._place = place
        self._written = {key: value for key, value in entry.items() if value is not None}
        self._values = {**self._preset(empty), **self._written}
        self._read = Reader(self._values, QUERY_FIELDS, place)
        self._read.unknown()

    def _preset(self, empty: Reader) -> dict[str, object]:
        """The fields of the preset that the entry names."""
        name = self._written.get("preset")
        if name is None:
            return {}
        preset = presets().get(name) if isinstance(name, str) else None
        if preset is None:
            raise empty.refuse("preset", f"{str(name)[:80]!r} is no preset{nearest(str(name), presets())}")
        if preset["api"] != self._api:
            raise empty.refuse("preset", f"{name!r} speaks api: {preset['api']}, this host api: {self._api}")
        return {
            "name": name,
            **{key: value for key, value in preset.items() if key not in {"api", "description"}},
        }

    def query(self) -> Query:
        """The query, complete."""
        read = self._read
        name = self._name()
        metrics = read.names("metrics")
        if not metrics:
            raise read.refuse("metrics", "it wants at least one metric, in the API's own spelling")
        family = self._family()
        mode = cast("Mode", read.text("mode"))
        granularity = read.duration("granularity")
        if granularity is None:  # it has a default
            raise read.refuse("granularity", "it wants an ISO 8601 duration")
        zone = _zone(read)
        query = Query(
            name=name,
            api=self._api,
            path=self._path(family),
            endpoint=self._endpoint,
            group_by=read.names("group_by") or (),
            metrics=metrics,
            granularity=granularity,
            window=read.duration("window") or self._defaults.window_of(mode),
            lookback=timedelta(days=self._lookback()),
            zone=zone,
            anchor=self._defaults.start.astimezone(zone).date(),
            shape=cast("Shape", read.text("shape")),
            filter=read.mapping("filter"),
            views=_views(read),
            extra=_sent_as_they_are(read),
            implicit_dimensions=("mediaType",) if self._endpoint == "conversations" else (),
            qualified=bool(QUALIFIED.intersection(metrics)),
            page_size=int(read.number("page_size") or self._defaults.page_size_of(mode)),
            mode=mode,
            jobs_path=family.async_jobs if family else None,
            statistics=_statistics(read),
        )
        wrong = checks.impossible(query)
        if wrong is not None:
            raise read.refuse(*wrong)
        schema.columns(query)  # refuses two settings that give one column
        return query

    @property
    def _endpoint(self) -> str | None:
        """The family, where there is one."""
        if self._api == "group_tree" or ("path" in self._values and "endpoint" not in self._written):
            return None
        return self._read.text("endpoint")

    def _name(self) -> str:
        """The stream's name."""
        name = self._read.needed("name")
        if name in RESERVED:
            raise self._read.refuse(
                "name", f"{name!r} is the name of a stream of the tap's own; choose another"
            )
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            wants = f"it wants ^[a-z][a-z0-9_]*$ and at most {_LONGEST_NAME} characters, not {name[:80]!r}"
            raise self._read.refuse("name", wants)
        return name

    def _family(self) -> Family | None:
        """What the package knows of the family; fields of the other contract are refused."""
        if self._api == "group_tree":
            for field in _RESULTS_ONLY:
                if field in self._written:
                    raise self._read.refuse(
                        field, "a group-tree host has no such field; it goes with api: results"
                    )
            if self._read.text("shape") == "long":
                raise self._read.refuse(
                    "shape", "a group-tree host gives one number a metric: only wide fits"
                )
            return None
        if self._endpoint is None:
            return None
        family = families().get(self._endpoint)
        if family is None:
            wants = f"{self._endpoint!r} is no family of aggregates{nearest(self._endpoint, families())}"
            raise self._read.refuse("endpoint", f"{wants}; for one that this version does not know set path")
        return family

    def _path(self, family: Family | None) -> str:
        """Where the query is posted."""
        path = self._read.text("path")
        if path is None:
            return family.path if family else GROUP_TREE_PATH
        if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", path) or path.startswith("//"):
            raise self._read.refuse(
                "path", f"it wants a path on the API's host that begins with /, not {path[:80]!r}"
            )
        return path

    def _lookback(self) -> float:
        """The look-back in days: the query's own, else the config's, never shorter unawares."""
        own = self._read.number("lookback_days")
        if own is not None:
            return own
        settles = settles_after(self._endpoint, self._read.text("alternate_time_dimension"))
        return (
            self._defaults.lookback_days
            if self._defaults.lookback_is_set
            else max(settles, self._defaults.lookback_days)
        )


def _zone(read: Reader) -> ZoneInfo:
    """The time zone."""
    name = str(read.text("time_zone"))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        wants = f"{name[:80]!r} is no time zone; it wants an IANA name such as Europe/London"
        raise read.refuse("time_zone", wants) from None


def _views(read: Reader) -> tuple[View, ...]:
    """The views, as the API has them."""
    found = []
    for each in read.items("views") or ():
        if (
            not isinstance(each, dict)
            or not isinstance(each.get("name"), str)
            or not isinstance(each.get("target"), str)
        ):
            raise read.refuse("views", "a view wants name, target, function and range, as the API has them")
        found.append(View(each["name"], each["target"], each))
    return tuple(found)


def _statistics(read: Reader) -> dict[str, tuple[str, ...]]:
    """Which statistics a metric or view brings, where the user knows better."""
    found = {}
    for metric, names in (read.mapping("statistics") or {}).items():
        for name in names if isinstance(names, list) and names else [None]:
            if not isinstance(name, str) or name not in STATISTICS:
                known = ", ".join(STATISTICS)
                raise read.refuse("statistics", f"{metric[:60]} wants a list of some of: {known}")
        found[metric] = tuple(cast("list[str]", names))
    return found


def _sent_as_they_are(read: Reader) -> dict[str, object]:
    """What is sent as it is, under the names of the wire."""
    limit = read.number("limit")
    values: Mapping[str, object] = {
        "flatten_multivalued_dimensions": read.flag("flatten_multivalued_dimensions"),
        "alternate_time_dimension": read.text("alternate_time_dimension"),
        "query_type": read.text("query_type"),
        "sort_metric": read.mapping("sort_metric"),
        "limit": None if limit is None else int(limit),
    }
    return {WIRE_NAMES[name]: value for name, value in values.items() if value is not None}
