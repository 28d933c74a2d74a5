"""What the documented API refuses, and in which words."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from genesys_sandbox import Options, Sandbox, SandboxClient
from genesys_sandbox.contract import families

PATH = families()["conversations"].path
JUNE_3 = "2025-06-03T00:00:00.000Z/2025-06-04T00:00:00.000Z"

Json = dict[str, Any]


def caller_of(**options: Any) -> SandboxClient:
    """Somebody with a token for a sandbox of these options."""
    noon = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)
    return SandboxClient(Sandbox(Options(**options), now=lambda: noon))


def refusal(caller: SandboxClient, body: Json, family: str = "conversations") -> Json:
    """The error that a query gets."""
    answer = caller.ask("POST", families()[family].path, body)
    error: Json = json.loads(answer.body)
    assert answer.status == error["status"] >= 400
    return error


def test_users_refuse_what_undercounts(caller: SandboxClient) -> None:
    """At most 100 user predicates, never a flat or, and no other dimension than the user."""
    query: Json = {"interval": JUNE_3, "metrics": ["tSystemPresence"], "groupBy": ["userId"]}
    ids = [user["id"] for user in caller.read("GET", "/api/v2/users?pageSize=3")["entities"]]
    predicates = [{"dimension": "userId", "value": name} for name in ids]
    wrapped: Json = {"type": "and", "clauses": [{"type": "or", "predicates": predicates}]}
    answer = caller.results("users", {**query, "filter": wrapped})
    assert {result["group"]["userId"] for result in answer["results"]} <= set(ids)
    refusal(caller, {**query, "filter": wrapped["clauses"][0]}, "users")
    wrapped["clauses"][0]["predicates"] = predicates[:1] * 101
    assert refusal(caller, {**query, "filter": wrapped}, "users")["messageParams"] == {"maximum": "100"}
    refusal(caller, {**query, "groupBy": ["queueId"]}, "users")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"metrics": ["nNothing"]}, "bad.request"),
        ({"metrics": []}, "bad.request"),
        ({"metrics": "nOffered"}, "bad.request"),
        ({"groupBy": ["colour"]}, "bad.request"),
        ({"groupBy": ["canonicalExternalContactId"]}, "bad.request"),
        ({"interval": "2025-06-03T00:00:00/2025-06-04T00:00:00"}, "invalid.date"),
        ({"interval": "2025-06-04T00:00Z/2025-06-04T00:00Z"}, "invalid.date"),
        ({"interval": "2025-06-31T00:00Z/2025-07-04T00:00Z"}, "invalid.date"),
        ({"granularity": "1 hour"}, "invalid.value"),
        ({"granularity": "PT0H"}, "invalid.value"),
        ({"timeZone": "Europe/Atlantis"}, "invalid.value"),
        ({"filter": {"type": "and", "predicates": [{"dimension": "colour", "value": "x"}]}}, "bad.request"),
        ({"filter": {"type": "xor", "predicates": []}}, "invalid.value"),
        ({"alternateTimeDimension": "wrapUpDate"}, "bad.request"),
        ({"queryType": "topN"}, "bad.request"),
        (
            {"views": [{"target": "nOffered", "name": "few", "function": "rangeBound", "range": {}}]},
            "bad.request",
        ),
        (
            {"views": [{"target": "tAcw", "name": "tWait", "function": "rangeBound", "range": {}}]},
            "bad.request",
        ),
        (
            {"views": [{"target": "tAcw", "name": "v", "function": "rangeBound", "range": {}}] * 11},
            "invalid.value",
        ),
    ],
)
def test_what_is_wrong_is_refused(caller: SandboxClient, wrong: Json, code: str) -> None:
    """A malformed query gets 400 in the platform's words, with an id for support in body and header."""
    body = {"interval": JUNE_3, "metrics": ["nOffered"], **wrong}
    answer = caller.ask("POST", PATH, body)
    error = json.loads(answer.body)
    assert (answer.status, error["status"], error["code"]) == (400, 400, code)
    assert answer.headers["ININ-Correlation-Id"] == error["contextId"]
    assert error["messageWithParams"].format(**error["messageParams"]) == error["message"]
    assert (error["details"], error["errors"]) == ([], [])


@pytest.mark.parametrize("status", [400, 413])
def test_too_many_rows_are_refused(status: int) -> None:
    """Above the limit of rows, the words are those that connectors look for."""
    caller = caller_of(max_results=20, too_large_status=status)
    query = {"interval": JUNE_3, "groupBy": ["queueId"], "metrics": ["nOffered", "tHandle"]}
    assert len(caller.results("conversations", query)["results"]) == 6
    error = refusal(caller, {**query, "granularity": "PT30M"})
    assert error["status"] == status
    assert "limit of 30000 results" in error["message"]


def test_long_intervals_time_out_or_are_refused() -> None:
    """Up to a length all is well; above it, 504, and above another, 400."""
    caller = caller_of(slow_over=timedelta(days=2), longest=timedelta(days=4))
    query: Json = {"metrics": ["nOffered"]}
    caller.results("conversations", {**query, "interval": "2025-06-03T00:00Z/2025-06-05T00:00Z"})
    slow = refusal(caller, {**query, "interval": "2025-06-03T00:00Z/2025-06-05T00:01Z"})
    assert (slow["status"], slow["code"]) == (504, "request.timeout")
    long = refusal(caller, {**query, "interval": "2025-06-03T00:00Z/2025-06-08T00:00Z"})
    assert long["status"] == 400
