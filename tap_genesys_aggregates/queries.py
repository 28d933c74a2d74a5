"""Entries of ``queries`` → checked queries: presets, families, defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from tap_genesys_aggregates.core import checks, schema
from tap_genesys_aggregates.core.checks import nearest
from tap_genesys_aggregates.core.families import GROUP_TREE_PATH, QUALIFIED, Family, families
from tap_genesys_aggregates.core.query import Api, Mode, Query, Shape, View
from tap_genesys_aggregates.core.statistics import STATISTICS
from tap_genesys_aggregates.presets import presets
from tap_genesys_aggregates.reading import Reader
from tap_genesys_aggregates.settings_table import QUERY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tap_genesys_aggregates.core.periods import Period

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 63
RESERVED = frozenset({"extractions"})
"""Streams that the tap brings along."""
_WIRE_NAMES = {
    "flatten_multivalued_dimensions": "flattenMultivaluedDimensions",
    "alternate_time_dimension": "alternateTimeDimension",
    "query_type": "queryType",
    "sort_metric": "sortMetric",
    "limit": "limit",
}
_RESULTS_ONLY = (*_WIRE_NAMES, "views", "endpoint", "mode", "statistics")


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the config says for every query."""

    api: Api
    lookback_days: float
    window: Period
    start: datetime
    page_size: int


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
        preset = presets().get(str(name))
        if preset is None:
            raise empty.refuse("preset", f"{name!r} is no preset{nearest(str(name), presets())}")
        if preset["api"] != self._api:
            raise empty.refuse("preset", f"{name!r} speaks api: {preset['api']}, this host api: {self._api}")
        return {"name": name, **{key: value for key, value in preset.items() if key not in {"api", "says"}}}

    def query(self) -> Query:
        """The query, complete."""
        read = self._read
        name = self._name()
        metrics = read.names("metrics")
        if not metrics:
            raise read.refuse("metrics", "it wants at least one metric, in the API's own spelling")
        family = self._family()
        window = read.duration("window") or self._defaults.window
        granularity = read.duration("granularity")
        if granularity is None:  # it has a default
            raise read.refuse("granularity", "it wants an ISO 8601 duration")
        zone = self._zone()
        query = Query(
            name=name,
            api=self._api,
            path=self._path(family),
            endpoint=self._endpoint,
            group_by=read.names("group_by") or (),
            metrics=metrics,
            granularity=granularity,
            window=window,
            lookback=timedelta(days=self._lookback()),
            zone=zone,
            anchor=self._defaults.start.astimezone(zone).date(),
            shape=cast("Shape", read.text("shape")),
            filter=read.mapping("filter"),
            views=self._views(),
            extra=self._extra(),
            unasked=("mediaType",) if self._endpoint == "conversations" else (),
            qualified=bool(QUALIFIED.intersection(metrics)),
            page_size=self._defaults.page_size,
            mode=cast("Mode", read.text("mode")),
            jobs_path=family.async_jobs if family else None,
            statistics=self._statistics(),
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
        """The look-back in days: the query's own, else the config's."""
        own = self._read.number("lookback_days")
        return self._defaults.lookback_days if own is None else own

    def _zone(self) -> ZoneInfo:
        """The time zone."""
        name = str(self._read.text("time_zone"))
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            wants = f"{name[:80]!r} is no time zone; it wants an IANA name such as Europe/London"
            raise self._read.refuse("time_zone", wants) from None

    def _views(self) -> tuple[View, ...]:
        """The views, as the API has them."""
        found = []
        for each in self._read.items("views") or ():
            if (
                not isinstance(each, dict)
                or not isinstance(each.get("name"), str)
                or not isinstance(each.get("target"), str)
            ):
                raise self._read.refuse(
                    "views", "a view wants name, target, function and range, as the API has them"
                )
            found.append(View(each["name"], each["target"], each))
        return tuple(found)

    def _statistics(self) -> dict[str, tuple[str, ...]]:
        """Which statistics a metric or view brings, where the user knows better."""
        found = {}
        for metric, names in (self._read.mapping("statistics") or {}).items():
            for name in names if isinstance(names, list) and names else [None]:
                if name not in STATISTICS:
                    known = ", ".join(STATISTICS)
                    raise self._read.refuse("statistics", f"{metric[:60]} wants a list of some of: {known}")
            found[metric] = tuple(cast("list[str]", names))
        return found

    def _extra(self) -> dict[str, object]:
        """What is sent as it is, under the names of the wire."""
        read = self._read
        limit = read.number("limit")
        values: Mapping[str, object] = {
            "flatten_multivalued_dimensions": read.flag("flatten_multivalued_dimensions"),
            "alternate_time_dimension": read.text("alternate_time_dimension"),
            "query_type": read.text("query_type"),
            "sort_metric": read.mapping("sort_metric"),
            "limit": None if limit is None else int(limit),
        }
        return {_WIRE_NAMES[name]: value for name, value in values.items() if value is not None}
