"""Changing an answer that is well: one thing in its JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable


def edit(name: str, change: Callable[[Any], None], *, any_status: bool = False) -> Fault:
    """A change of the JSON of an answer that is well, or of any; what is no JSON object stays as it is."""

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


def row_twice(body: Any) -> None:
    """The last row comes again."""
    for name in ("results", "entities"):
        if body.get(name):
            body[name].append(body[name][-1])


def link(body: Any, where: str) -> None:
    """The next page is said to be elsewhere, after the last one too."""
    if "links" in body:
        body["links"] = {"next": where}


def in_row(body: Any, place: str, value: str | None) -> None:
    """Change the last row of an answer, where it is one with rows."""
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
    elif body.get("entities") and "summary" in body and value is not None:  # a tree, whose nulls mean much
        _in_node(body["entities"][-1], place, value)


def _in_node(node: Any, place: str, value: str | None) -> None:
    """Change the last leaf of a tree."""
    while node.get("groups"):
        node = node["groups"][-1]
    if place == "metric":
        node["metrics"][value] = {"value": 1}
    elif place == "group":
        node["groups"] = [{"id": value, "groups": [{"id": value, "groups": [{"id": value}]}]}]
    else:
        node["metrics"] = {name: {"value": value} for name in node["metrics"] or {"nUnasked": None}}
