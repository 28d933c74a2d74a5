"""Whether a query is still the one that its rows were loaded for, and what to do if it is not.

Rows of two different queries in one table are wrong without a trace: buckets overlap, keys collide, or
numbers change their meaning from one day to the next. So the state keeps the definition of the query, and a
run compares.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_genesys_aggregates.core import schema
from tap_genesys_aggregates.core.bookmarks import Bookmark
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.core.rechecks import Rechecks
from tap_genesys_aggregates.core.window_growth import Learnt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_genesys_aggregates.core.query import Query

_MAX_TEXT = 200
"""Characters of a value that the state keeps; of a longer one it keeps a hash."""
_COLUMNS_ONLY = frozenset({"metrics", "statistics"})
"""Fields that decide which columns have values, and nothing else."""


def definition(query: Query) -> dict[str, object]:
    """What the rows of a query depend on, as JSON for the state.

    Fields at their default are left out. A long filter is kept as a hash: that tells whether it changed.

    Args:
        query: The query.

    Returns:
        Field → value. ``key`` holds the columns of the primary key.
    """
    is_tree = query.api == "group_tree"
    fields: dict[str, object] = {
        "api": query.api if is_tree else None,
        "path": query.path,
        # The order of dimensions means something to a tree, whose levels follow it, and nothing else.
        "group_by": list(query.group_by) if is_tree else sorted(query.group_by),
        "metrics": sorted(query.metrics),
        "granularity": query.granularity.text,
        "time_zone": query.zone.key,
        "anchor": query.anchor.isoformat() if query.grid.depends_on_anchor else None,
        "window": query.span.text if query.rows_depend_on_window else None,
        "filter": query.filter,
        "views": [view.wire for view in query.views],
        "shape": query.shape,
        "statistics": {name: list(names) for name, names in sorted(query.statistics.items())},
        "key": list(schema.keys(query)),
        "organization": query.organization,
        **query.extra,
    }
    return {name: _compact(name, value) for name, value in fields.items() if value not in (None, [], {})}


def _compact(name: str, value: object) -> object:
    """The value of a field, or a hash of it if it is long and is compared only as a whole."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if len(text) <= _MAX_TEXT or is_list or name in _COLUMNS_ONLY:
        return value
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class _Changes:
    """The fields in which two definitions differ, each with a text for people.

    Metrics and statistics that were added or removed are no such fields: they only add or remove columns.
    """

    key: str
    meaning: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def between(cls, query: Query, old: Mapping[str, object], new: Mapping[str, object]) -> _Changes:
        names = dict.fromkeys((*new, *old))
        changed = [name for name in names if old.get(name) != new.get(name)]
        told = {name: f"{name} from {_shown(old.get(name))} to {_shown(new.get(name))}" for name in changed}
        before, after = (_with_columns(query, each) for each in (old, new))
        return cls(
            told.pop("key", ""),
            tuple(text for name, text in told.items() if name not in _COLUMNS_ONLY),
            _without_parts(after - before),
            _without_parts(before - after),
        )


def _with_columns(query: Query, old: Mapping[str, object]) -> set[str]:
    """What a definition of a query has columns for: metrics and, as ``tHandle.max``, their statistics."""
    listed, found = old.get("statistics"), {*_names(old.get("metrics"))}
    if query.shape == "long":
        return found
    for name, known in schema.known_statistics(query).items():
        names = listed.get(name) if isinstance(listed, dict) else None
        found |= {f"{name}.{each}" for each in _names(names) or known}
    return found


def _without_parts(names: set[str]) -> tuple[str, ...]:
    """Names in order, without the statistics of metrics that are among them."""
    return tuple(sorted(each for each in names if each.partition(".")[0] not in names - {each}))


def _names(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _shown(value: object) -> str:
    """A value of a definition for a message."""
    text = "nothing" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def resumed(
    query: Query, state: Mapping[str, object], *, start_date: datetime, now: datetime
) -> tuple[Bookmark, list[str]]:
    """The bookmark from which a run of a query goes on.

    Args:
        query: The query.
        state: ``bookmarks[stream]`` of the state.
        start_date: The first instant wanted at all.
        now: The instant of the run.

    Returns:
        The bookmark, and lines to warn with.

    Raises:
        SettingError: The state cannot be read, or is that of another query (``reconcile_query``).
    """
    bookmark = Bookmark.read(state, query.name).clipped(now, query.lookback)
    bookmark, warnings = reconcile_query(query, bookmark)
    return bookmark.starting(query.grid.floor(start_date)), warnings


def reconcile_query(query: Query, bookmark: Bookmark) -> tuple[Bookmark, list[str]]:
    """Compare a query with the one that its bookmark was written for.

    Args:
        query: The query; ``on_change`` says what to do if it is another.
        bookmark: What earlier runs have loaded.

    Returns:
        The bookmark to go on from, which holds the present definition, and lines to warn with.

    Raises:
        SettingError: The query changed, and ``on_change`` does not say how to go on, or the table cannot
            hold the new rows.
    """
    check_organization(query, bookmark)
    new = definition(query)
    if bookmark.query is None:  # nothing was loaded, or by a version that did not keep the definition
        return replace(bookmark, query=new), []
    changes = _Changes.between(query, bookmark.query, new)
    if changes.key:
        raise _new_key(query, changes)
    is_loaded = bookmark.loaded_before is not None
    if changes.meaning and is_loaded and query.on_change == "stop":
        raise _changed(query, changes)
    if (
        is_loaded
        and query.on_change == "reload"
        and (changes.meaning or changes.added or bookmark.metrics_without_history)
    ):
        again = max(filter(None, (bookmark.loaded_before, bookmark.reload_before)))
        return Bookmark(query=new, reload_before=again), [
            f"query {query.name!r}: {_reason(changes)}; everything is loaded again"
        ]
    without = {*bookmark.metrics_without_history, *changes.added} if is_loaded else set()
    continued = replace(
        bookmark,
        query=new,
        metrics_without_history=tuple(sorted(without & _with_columns(query, new))),
        rechecks=_rechecks(bookmark, changes) if is_loaded else bookmark.rechecks,
        windows=bookmark.windows if new == bookmark.query else Learnt(),
    )
    return continued, list(_warnings(query, changes)) if is_loaded else []


def check_organization(query: Query, bookmark: Bookmark) -> None:
    """Check that a bookmark is of the organization whose rows a query asks for.

    Raises:
        SettingError: It is of another one, or only one of both has the setting, which changes every key.
    """
    if bookmark.query is None and bookmark.loaded_before is None:
        return
    before, now = (bookmark.query or {}).get("organization"), query.organization
    if before == now:
        return
    if before is not None and now is not None:
        what = f"the state of query {query.name!r} is that of organization {before!r}, not of {now!r}"
        advice = (
            "Give each organization a state of its own, with meltano run --state-id-suffix or with --state; "
            "their rows can share tables"
        )
        raise SettingError(what, advice)
    change = f"was {before!r} and is not set" if now is None else f"was not set and is {now!r}"
    what = f"query {query.name!r} has another primary key than its table: organization {change}"
    advice = (
        "A target cannot change the key of a table. Load into another schema, and start without a state; or "
        f"drop the tables {query.name} and extractions and those of the other queries and lookups, and start "
        "without a state"
    )
    raise SettingError(what, advice)


def _rechecks(bookmark: Bookmark, changes: _Changes) -> Rechecks:
    """What is still known about settled months once a query that changed goes on."""
    if changes.meaning and bookmark.loaded_before is not None:  # what was loaded before stays as it is
        return Rechecks(floor=min(bookmark.loaded_before, bookmark.final_before or bookmark.loaded_before))
    return bookmark.rechecks.forgotten() if changes.added or changes.removed else bookmark.rechecks


def _reason(changes: _Changes) -> str:
    added = f"metrics were added ({', '.join(changes.added)})" if changes.added else "metrics were added"
    return f"it changed ({'; '.join(changes.meaning)})" if changes.meaning else added


def _warnings(query: Query, changes: _Changes) -> list[str]:
    """What to tell about changes with which a run goes on."""
    name, lines = f"query {query.name!r}", []
    if changes.meaning:
        what = "; ".join(changes.meaning)
        lines.append(f"{name} changed: {what}. Rows that were loaded before stay as they are")
    if changes.added:
        lines.append(
            f"{name}: metrics {', '.join(changes.added)} were added. Rows that were loaded before have no "
            "values for them; set on_query_change: reload to load those again"
        )
    if changes.removed:
        lines.append(
            f"{name}: metrics {', '.join(changes.removed)} were removed. Rows that were loaded before keep "
            "their values"
        )
    return lines


def _changed(query: Query, changes: _Changes) -> SettingError:
    what = f"query {query.name!r} is not the one that its table was loaded for: {'; '.join(changes.meaning)}"
    advice = (
        "Give it a new name for a new table; or set on_query_change: reload on it to load everything again, "
        "or on_query_change: continue to keep the old rows beside the new ones"
    )
    return SettingError(what, advice)


def _new_key(query: Query, changes: _Changes) -> SettingError:
    what = f"query {query.name!r} has another primary key than its table: {changes.key}"
    advice = (
        "A target cannot change the key of a table. Give the query a new name for a new table; or drop the "
        f"table {query.name} and remove bookmarks.{query.name} from the state"
    )
    return SettingError(what, advice)
