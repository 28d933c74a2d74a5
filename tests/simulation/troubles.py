"""What a platform's habits do to the requests of one run."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault
from genesys_sandbox.contract import families
from genesys_sandbox.group_tree_endpoint import PATH as TREE_PATH
from genesys_sandbox.group_tree_endpoint import read_page
from genesys_sandbox.http_messages import ApiError, json_response
from tests.simulation.habits import hours_of, needs_users
from tests.simulation.malformed_answers import edit_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from genesys_sandbox import Request
    from tests.simulation.habits import Trouble

USERS_PATH = "/api/v2/users"
NEW_STATISTIC = "p50"
NEW_VALUE = 12.5
_READS_OF_A_LIST = 3
_ERRORS: tuple[tuple[int, dict[str, Any]], ...] = (
    (200, {"error": "Internal Server Error", "status": 500}),
    (200, {"errors": [{"message": "An unexpected error has occurred"}]}),
    (202, {}),
    (200, {"status": 500, "message": "Not today"}),
)
_TOO_LONG = "The requested interval is longer than this organization allows"


def is_for(request: Request, query: Mapping[str, Any]) -> bool:
    """Whether a request asks for the rows of a query, or for those of one that looks like it."""
    if request.path == TREE_PATH:
        is_tree = query["api"] == "group_tree"
        return is_tree and bool(read_page(request, 0).body.get("metrics") == query["metrics"])
    if query["api"] == "group_tree":
        return False
    family, by_jobs = families()[query.get("endpoint", "conversations")], is_async(query)
    if request.path == (family.jobs_path if by_jobs else family.path):
        return bool(_payload(request).get("metrics") == query["metrics"])
    is_job = family.jobs_path and request.path.startswith(f"{family.jobs_path}/")
    return bool(is_job) and by_jobs and request.method == "GET"


def is_async(query: Mapping[str, Any]) -> bool:
    """Whether a query is answered by jobs: it says so, or its family has nothing else."""
    if query["api"] == "group_tree":
        return False
    return query.get("mode") == "async" or not families()[query.get("endpoint", "conversations")].path


def _payload(request: Request) -> dict[str, Any]:
    payload = request.payload
    return payload if isinstance(payload, dict) else {}


class Troubles:
    """The troubles of one run, as faults of its requests."""

    def __init__(self, troubles: Sequence[Trouble], queries: Sequence[Mapping[str, Any]]) -> None:
        """Take the troubles of the run, and its queries, each with its ``api``."""
        self._queries = queries
        self._active = troubles
        self._shifts = dict.fromkeys(troubles, 0)

    def failing(self) -> set[str]:
        """The queries that may fail for one of these reasons."""
        return {name for trouble in self._active for name in self._concerned(trouble)}

    def certain(self) -> set[str]:
        """The queries that must fail if they have something to ask for."""
        queries = [(trouble.kind, self._queries[trouble.query]) for trouble in self._active]
        return {
            query["name"]
            for kind, query in queries
            if kind in {"forbidden", "error in a 200"} or (kind == "nobody found" and needs_users(query))
        }

    def _concerned(self, trouble: Trouble) -> Iterator[str]:
        """The names of the queries that a trouble may let fail."""
        query = self._queries[trouble.query]
        if trouble.kind == "list shifts" and trouble.detail < _READS_OF_A_LIST:
            return
        if trouble.kind == "15th statistic" and query.get("shape") == "long":
            return
        for each in self._queries:
            fits = trouble.kind == "interval limit" and _plain_hours(each) <= trouble.detail
            shares_list = trouble.kind in {"list shifts", "nobody found"} and needs_users(each)
            if (shares_list or is_same_request(each, query)) and not fits:
                yield each["name"]

    def fault(self, request: Request) -> Fault | None:
        """What happens to a request: a response in place of the right one, or a change of it."""
        edit: Fault | None = None
        for trouble in self._active:
            query = self._queries[trouble.query]
            if trouble.kind in {"list shifts", "nobody found"}:
                edit = self._list(trouble, query, request) or edit
            elif is_for(request, query):
                found = _fault(trouble, query, request)
                if found and found.instead:
                    return found
                edit = found or edit
        return edit

    def _list(self, trouble: Trouble, query: Mapping[str, Any], request: Request) -> Fault | None:
        """A list or tree that changes while it is read, so many times; or one that is empty."""
        is_list = needs_users(query) and request.path == USERS_PATH
        if trouble.kind == "nobody found":
            return edit_json(trouble.kind, _empty_list) if is_list else None
        is_tree = request.path == TREE_PATH and bool(request.query.get("cursor")) and is_for(request, query)
        if not (is_list or is_tree) or self._shifts[trouble] >= trouble.detail:
            return None
        self._shifts[trouble] += 1
        return edit_json(trouble.kind, _shift_tree if is_tree else _shift_list)


def _empty_list(body: Any) -> None:
    body.update(entities=[], total=0)


def _shift_list(body: Any) -> None:
    """The last entity moved to a page that was read already."""
    del body["entities"][-1:]


def _shift_tree(body: Any) -> None:
    """An entity of an earlier page is gone, so that the first one moved there."""
    del body["entities"][:1]
    body["total"] -= 1


def is_same_request(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether requests for one query are taken for those of another, or of itself."""
    if one is other or one["api"] != other["api"] or one["api"] == "group_tree":
        return one is other or (one["api"] == other["api"] and one["metrics"] == other["metrics"])
    one_of, other_of = ((each.get("endpoint", "conversations"), is_async(each)) for each in (one, other))
    return one_of == other_of and (one["metrics"] == other["metrics"] or is_async(one))


def _fault(trouble: Trouble, query: Mapping[str, Any], request: Request) -> Fault | None:
    if trouble.kind == "forbidden":
        message = "Unable to perform the requested action. You are missing the following permission(s)"
        error = ApiError(403, "missing.permissions", message, {}, {})
        return Fault("forbidden", instead=error.response)
    if trouble.kind == "error in a 200":
        status, body = _ERRORS[trouble.detail]
        return Fault("error in a 200", instead=lambda _: json_response(body, status))
    if trouble.kind == "interval limit":
        if hours_asked_for(request) <= trouble.detail:
            return None
        return Fault("interval limit", instead=ApiError(400, "bad.request", _TOO_LONG, {}, {}).response)
    del query
    return edit_json("15th statistic", lambda body: _add_statistic(body, trouble.detail))


def _plain_hours(query: Mapping[str, Any]) -> float:
    """The longest window of a query that has not grown: a day may have 25 hours."""
    window, bucket = (hours_of(query[name]) for name in ("window", "granularity"))
    return max(window, bucket) + 1


def hours_asked_for(request: Request) -> float:
    """The length of the interval that a request asks for, in hours; 0 if it asks for none."""
    body: Any = read_page(request, 0).body if request.path == TREE_PATH else _payload(request)
    if "dateFrom" in body:
        start, end = body["dateFrom"], body["dateTo"]
    elif "interval" in body:
        start, _, end = body["interval"].partition("/")
    else:
        return 0
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() / 3600


def _add_statistic(body: Any, metric: str) -> None:
    for result in body.get("results") or ():
        for bucket in result.get("data") or ():
            for each in bucket.get("metrics") or ():
                if each["metric"] == metric:
                    each["stats"][NEW_STATISTIC] = NEW_VALUE


def combined(fault: Fault | None, habit: Fault | None) -> Fault | None:
    """A fault of a request on top of what a habit does to the right answer."""
    if habit is None or fault is None or fault.instead:
        return fault or habit
    first, second = habit.edit, fault.edit
    if first is None or second is None:
        return replace(fault, edit=first or second)
    return replace(fault, edit=lambda request, answer: second(request, first(request, answer)))


def with_statistic(row: dict[str, Any], query: Mapping[str, Any], metric: str | None) -> dict[str, Any]:
    """A row as it must be if a metric comes with another statistic, or came with it in another run."""
    if query.get("shape") == "long":
        if row["metric"] != metric:
            return row
        return {**row, "other_statistics": json.dumps({NEW_STATISTIC: NEW_VALUE}, separators=(",", ":"))}
    extra = {}
    for name, statistics in query.get("statistics", {}).items():
        if NEW_STATISTIC in statistics and name in query["metrics"]:
            columns = [f"{_snake(name)}_{_snake(each)}" for each in statistics]
            came = name == metric and any(row.get(column) is not None for column in columns)
            extra[f"{_snake(name)}_{NEW_STATISTIC}"] = NEW_VALUE if came else None
    return {**row, **extra}


def _snake(name: str) -> str:
    """A name in snake case, for the names of columns."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
