"""What a platform may do to the answer for a whole month in one bucket, which rechecks ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from genesys_sandbox import Sandbox
from genesys_sandbox.group_tree_endpoint import PATH as TREE_PATH
from genesys_sandbox.group_tree_endpoint import read_page
from genesys_sandbox.http_messages import ApiError
from tests.simulation.scenario import seeded_random
from tests.simulation.troubles import hours_asked_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from genesys_sandbox import Request, Response

REFUSALS = {
    "too long": ApiError(400, "bad.request", "The interval is longer than allowed", {}, {}),
    "too large": ApiError(413, "request.too.large", "Result set is larger than result limit", {}, {}),
    "slow": ApiError(504, "request.timeout", "The request timed out", {}, {}),
}
"""Answers for a month that is too much at once; its halves or quarters are answered."""
NEVER = "never answered"
ROUNDING = "other rounding"
MISSING = "metric is missing"
EMPTY_GROUPS = "empty groups come and go"
HABITS = ("", "", "", "", *REFUSALS, ROUNDING, ROUNDING, MISSING, EMPTY_GROUPS, NEVER)
NOT_IN_COARSE = {"results": "nOffered", "group_tree": "conversationCount"}
"""The metric that coarse answers lack, by the API."""
_NOISE = 1e-15


class CoarseSandbox(Sandbox):
    """Returns groups in another order every time, and has a habit with coarse requests.

    Attributes:
        habit: One of ``HABITS``; empty for none.
        longest: The hours that a coarse request may span, if the habit is a refusal.
        looks: The start and end of every coarse request so far.
    """

    habit = ""
    longest = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.looks: list[str] = []
        self._coarse_jobs: set[str] = set()

    @override
    def handle(self, request: Request) -> Response:
        interval = _coarse_interval(request)
        if interval:
            self.looks.append(interval)
            if refusal := self._refusal(hours_asked_for(request)):
                return refusal.response(request.path)
        response = super().handle(request)
        body = _json_object(response)
        if body is None:
            return response
        rng = seeded_random(len(self.log))
        if interval and isinstance(body.get("jobId"), str):
            self._coarse_jobs.add(body["jobId"])
        if interval or any(f"/{job}/results" in request.path for job in self._coarse_jobs):
            self._change(body, rng)
        for name in ("results", "entities"):
            if isinstance(body.get(name), list):
                rng.shuffle(body[name])
        return replace(response, body=json.dumps(body).encode())

    def _refusal(self, hours: float) -> ApiError | None:
        """Why a coarse request of some hours is refused, if it is."""
        if self.habit == NEVER:
            return REFUSALS["too long"]
        return REFUSALS.get(self.habit) if hours > self.longest else None

    def _change(self, body: dict[str, Any], rng: Random) -> None:
        """What the habit does to a coarse answer."""
        if self.habit == ROUNDING:
            for holder, name in _numbers(body):
                holder[name] = float(holder[name]) * (1 + rng.choice((-1, 0, 1)) * _NOISE)
        elif self.habit == MISSING:
            _drop_metrics(body)
        elif self.habit == EMPTY_GROUPS and rng.random() < 0.5 and (group := _first_group(body)):
            names = {name: f"{name} of nothing" for name in group["group"]}
            data = [{**bucket, "metrics": []} for bucket in group["data"]]
            body["results"].append({"group": names, "data": data})


def _json_object(response: Response) -> dict[str, Any] | None:
    """The body of a response; None if there is none, or if a fault made something else of it."""
    try:
        body = json.loads(response.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _first_group(body: dict[str, Any]) -> dict[str, Any] | None:
    """The first group of an answer; None if there is none, or if a fault made something else of it."""
    groups = body.get("results")
    first = groups[0] if isinstance(groups, list) and groups else None
    return first if isinstance(first, dict) else None


def _coarse_interval(request: Request) -> str:
    """The interval of a request for a single bucket; empty if it is another request."""
    if request.path == TREE_PATH:
        asked: Any = read_page(request, 0).body
        is_coarse = "interval" not in asked["groupBy"]
        return f"{asked['dateFrom']}/{asked['dateTo']}" if is_coarse else ""
    payload: Any = request.payload if request.method == "POST" and "aggregates" in request.path else None
    if not isinstance(payload, dict) or "granularity" in payload:
        return ""
    return str(payload.get("interval", ""))


def _numbers(node: Any) -> Iterator[tuple[Any, str]]:
    """Every number of a metric: the object that holds it, and its name there. Faults may have left none."""
    if isinstance(node, list):
        for each in node:
            yield from _numbers(each)
    elif isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, dict) and name == "stats":
                yield from ((value, each) for each in value if _is_number(value[each]))
            elif name == "metrics" and isinstance(value, dict):
                yield from ((each, "value") for each in value.values() if _is_number(each.get("value")))
            else:
                yield from _numbers(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _drop_metrics(node: Any) -> None:
    """Remove a metric wherever it is."""
    if isinstance(node, list):
        for each in node:
            _drop_metrics(each)
    elif isinstance(node, dict):
        metrics = node.get("metrics")
        if isinstance(metrics, list):
            node["metrics"] = [each for each in metrics if each["metric"] not in NOT_IN_COARSE.values()]
        elif isinstance(metrics, dict):
            node["metrics"] = {n: each for n, each in metrics.items() if n not in NOT_IN_COARSE.values()}
        for each in node.values():
            _drop_metrics(each)
