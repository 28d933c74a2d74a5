"""Changes to the sandbox's answers: wrong values in their JSON, pages out of order, pages that come twice."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault, Request, Response
from genesys_sandbox.group_tree_endpoint import PATH, read_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from genesys_sandbox.faults import Edit

_ANY_VALUES: tuple[Any, ...] = (
    None, None, None, True, 0, 17, -1, 0.5, 1e308, 10**30, "", "many", "2026-03-02T00:00:00.000Z", "\0",
    "\ud800", "x" * 5_000, [], {}, [[]], [None], {"a": 1}, {"value": None},
)  # fmt: skip


def edit_json(name: str, change: Callable[[Any], None], *, any_status: bool = False) -> Fault:
    """A fault that changes the JSON object of a successful answer, or of any answer."""

    def edited(request: Request, answer: Response) -> Response:
        del request
        try:
            body = json.loads(answer.body)
        except ValueError:
            return answer
        if (answer.status >= 300 and not any_status) or not isinstance(body, dict):
            return answer
        change(body)
        return replace(answer, body=json.dumps(body).encode())

    return Fault(name, edit=edited)


def change_any_value(rng: Random) -> Fault:
    """A fault in one place of the JSON: null, another value, nothing, or the same item again."""
    how = rng.choice(("null", "other value", "other value", "missing", "repeated"))
    value, share = rng.choice(_ANY_VALUES) if how == "other value" else None, rng.random()

    def change(body: Any) -> None:
        places = list(_places(body))
        if not places:
            return
        holder, key = places[int(share * len(places))]
        if how == "missing":
            del holder[key]
        elif how != "repeated":
            holder[key] = value
        elif isinstance(holder, list):
            holder.append(holder[key])

    return edit_json(f"malformed: {how}", change, any_status=True)


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every value of a JSON document, as the list or object that holds it and its key there."""
    pending = [body]
    while pending:
        holder = pending.pop()
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                pending.append(holder[key])


def repeat_last_row(body: Any) -> None:
    for name in ("results", "entities"):
        if body.get(name):
            body[name].append(body[name][-1])


def set_next_link(body: Any, link: str) -> None:
    """Replace the link to the next page, on the last page too."""
    if "links" in body:
        body["links"] = {"next": link}


def change_last_row(body: Any, place: str, value: str | None) -> None:
    """Change the interval, group, metric or number of the last row, if the answer has rows."""
    if body.get("results"):
        result = body["results"][-1]
        metric = result["data"][-1]["metrics"][-1:] if result["data"] else []
        holders: dict[str, list[tuple[Any, Any]]] = {
            "interval": [(result["data"][-1], "interval")],
            "group": [(result["group"], value)],
            "metric": [(each, "metric") for each in metric],
            "number": [(each["stats"], name) for each in metric for name in list(each["stats"])],
        }
        for holder, name in holders[place]:
            holder[name] = value
    elif body.get("entities") and "summary" in body and value is not None:  # null is valid in most of a tree
        _change_last_leaf(body["entities"][-1], place, value)


def _change_last_leaf(node: Any, place: str, value: str | None) -> None:
    while node.get("groups"):
        node = node["groups"][-1]
    if place == "metric":
        node["metrics"][value] = {"value": 1}
    elif place == "group":
        node["groups"] = [{"id": value, "groups": [{"id": value, "groups": [{"id": value}]}]}]
    else:
        node["metrics"] = {name: {"value": value} for name in node["metrics"] or {"nUnasked": None}}


class PageOrder:
    """The order of the pages of one run; remembers the last page of every answer."""

    def __init__(self, *, shuffled: bool) -> None:
        """Take whether links lead to pages 1, 3, 2, 5, 4, …: every page once, out of order."""
        self._shuffled = shuffled
        self._last_bodies: dict[str, bytes] = {}

    def apply(self, fault: Fault | None) -> Fault | None:
        """The fault of a request, or none, on top of this order of pages."""
        if fault is None:
            return Fault("", edit=self._reorder)
        return fault if fault.instead else replace(fault, edit=_both(self._reorder, fault.edit))

    def repeat(self) -> Fault:
        """A fault that sends the previous page in place of the requested one."""

        def previous(request: Request, answer: Response) -> Response:
            body = self._last_bodies.get(_answer_id(request)) if answer.status < 300 else None
            return self._reorder(request, answer) if body is None else replace(answer, body=body)

        return Fault("page twice", edit=previous)

    def _reorder(self, request: Request, answer: Response) -> Response:
        if not (answer_id := _answer_id(request)) or answer.status >= 300:
            return answer
        if self._shuffled and request.path == PATH:
            answer = _with_shuffled_link(request, answer)
        self._last_bodies[answer_id] = answer.body
        return answer


def _both(first: Edit, second: Edit | None) -> Edit:
    return first if second is None else lambda request, answer: second(request, first(request, answer))


def _answer_id(request: Request) -> str:
    """What all pages of one answer have in common; empty for requests without pages."""
    if request.path == PATH:
        return json.dumps(read_page(request, 0).body, sort_keys=True)
    return request.path if request.path.endswith("/results") else ""


def _with_shuffled_link(request: Request, answer: Response) -> Response:
    """A page of a tree whose link leads to its successor in the shuffled order."""
    body: Any = json.loads(answer.body)
    link = body["links"].get("next") or request.target
    if "cursor=" not in link:  # there is only this page
        return answer
    head, path, query = link.partition(PATH)
    page = read_page(Request("POST", path + query), 0)
    number = _next_shuffled(body["pageNumber"], -(-body["total"] // body["pageSize"]))
    body["links"] = {}
    if number:
        successor = replace(page, number=number, gap=False)
        body["links"]["next"] = head + successor.link(body["pageSize"])
    return replace(answer, body=json.dumps(body).encode())


def _next_shuffled(number: int, last: int) -> int:
    """The page after a page in the order 1, 3, 2, 5, 4, …; 0 after the last one."""
    if number > 1 and number % 2:
        return number - 1
    even = number if number > 1 else 0
    return next((each for each in (even + 3, even + 2) if each <= last), 0)
