"""Entries of ``queries`` → checked queries: presets, families, defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from tap_genesys_aggregates import query_fields
from tap_genesys_aggregates.core import checks, schema
from tap_genesys_aggregates.core.checks import nearest
from tap_genesys_aggregates.core.families import GROUP_TREE_PATH, QUALIFIED, Family, families, settles_after
from tap_genesys_aggregates.core.lookup_table import lookups
from tap_genesys_aggregates.core.query import Api, Mode, Query, Shape
from tap_genesys_aggregates.presets import presets
from tap_genesys_aggregates.reading import Reader
from tap_genesys_aggregates.settings_table import QUERY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_genesys_aggregates.core.periods import Period

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 63
_JOB_PAGE = 1_000
RESERVED = frozenset({"extractions", *lookups()})
"""Streams that the tap brings along."""
_RESULTS_ONLY = (*query_fields.WIRE_NAMES, "views", "endpoint", "mode", "statistics")


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
        return {"name": name, **{key: value for key, value in preset.items() if key not in {"api", "says"}}}

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
        zone = query_fields.zone(read)
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
            views=query_fields.views(read),
            extra=query_fields.sent_as_they_are(read),
            unasked=("mediaType",) if self._endpoint == "conversations" else (),
            qualified=bool(QUALIFIED.intersection(metrics)),
            page_size=int(read.number("page_size") or self._defaults.page_size_of(mode)),
            mode=mode,
            jobs_path=family.async_jobs if family else None,
            statistics=query_fields.statistics(read),
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
