"""Groups in pieces become one row, and a tree that changes between its pages is read again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from genesys_sandbox import Fault, Options, Rule, Rules, Sandbox, SettableClock
from genesys_sandbox.faults import put
from tap_genesys_aggregates.core.errors import IncompleteError, UnforeseenError, UnreadableError
from tests.pipeline.running import config, multiset, run

if TYPE_CHECKING:
    from genesys_sandbox import Request, Response

NOW = SettableClock(datetime(2026, 3, 20, tzinfo=timezone.utc))
TREE = config(
    api="group_tree",
    queries=[{"preset": "conversation_aggregates", "name": "calls", "page_size": 3}],
    end_date="2026-03-03T00:00:00Z",
)
CALLS = {"name": "calls", "group_by": ["queueId"], "metrics": ["nOffered", "tHandle"], "granularity": "PT1H"}
RESULTS = config(queries=[CALLS], end_date="2026-03-03T00:00:00Z")
PATH = "/aggregates/query"


def sandbox(*rules: Rule) -> Sandbox:
    found = Sandbox(Options(volume=0.2), now=NOW)
    found.faults = Rules(*rules)
    return found


def split(_: Request, response: Response, *, other: int | None = None) -> Response:
    """Every result in two pieces, with half of the metrics in each; ``other`` contradicts the first piece."""
    body: dict[str, Any] = json.loads(response.body)
    pieces = []
    for result in body["results"]:
        for number in (0, 1):
            data = [{**each, "metrics": each["metrics"][number::2]} for each in result["data"]]
            pieces.append({**result, "data": [each for each in data if each["metrics"]]})
    if other is not None:
        wrong = json.loads(json.dumps(pieces[0]))
        wrong["data"][0]["metrics"][0]["stats"]["count"] = other
        pieces.append(wrong)
    return replace(response, body=json.dumps({"results": pieces}).encode())


@pytest.mark.parametrize("stream_maps", [{}, {"calls": {"more": "queue_id"}}])
def test_a_group_in_two_results_is_one_row(stream_maps: dict[str, Any]) -> None:
    """The same rows as in one piece, whichever way they are written; the ledger counts them once.

    Smallest reproducer: two results with the group ``{"queueId": "q1"}`` and one metric each.
    """
    settings = {**RESULTS, "stream_maps": stream_maps} if stream_maps else RESULTS
    outcome = run(sandbox(Rule(Fault("split", edit=split), match=PATH, times=None)), settings)
    assert outcome.error is None
    whole = run(sandbox(), settings)
    assert multiset(outcome.rows("calls")) == multiset(whole.rows("calls")) != {}
    assert [each["row_count"] for each in outcome.rows("extractions")] == [len(whole.rows("calls"))]


def test_a_group_in_two_results_with_other_numbers_is_refused_before_a_row_is_written() -> None:
    fault = Fault("contradict", edit=lambda request, response: split(request, response, other=999))
    outcome = run(sandbox(Rule(fault, match=PATH, times=None)), RESULTS)
    assert isinstance(outcome.error, UnforeseenError)
    assert "two rows came with the same key and different numbers for" in str(outcome.error)
    assert "out of metrics of this query" in str(outcome.error)
    assert outcome.rows("calls") == []


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_tree_whose_total_changes_between_pages_is_read_again(times: int) -> None:
    """Three times in all, then it is an error.

    Smallest reproducer: ``"total": 6`` on page 1, ``"total": 5`` on page 2, and one queue in neither.
    """
    changed = sandbox(Rule(put(("total",), 99), match="pageNumber=2", times=times))
    outcome = run(changed, TREE)
    expected = run(sandbox(), TREE).rows("calls")
    if times == 3:
        assert isinstance(outcome.error, IncompleteError)
        assert "query 'calls', window 2026-03-02" in str(outcome.error)
        assert "the number of entities changed between pages" in str(outcome.error)
        assert "Set a shorter window or a larger page_size" in str(outcome.error)
        assert outcome.rows("calls") == []
    else:
        assert outcome.error is None
        assert outcome.rows("calls")
        assert multiset(outcome.rows("calls")) == multiset(expected)


def test_a_tree_with_fewer_entities_than_its_total_is_an_error() -> None:
    """Smallest reproducer: ``"total": 99`` on every page, and a commit without the missing entities."""
    outcome = run(sandbox(Rule(put(("total",), 99), match="aggregate/query", times=None)), TREE)
    assert isinstance(outcome.error, IncompleteError)
    assert "entities, but report 99, 3 times in a row" in str(outcome.error)
    assert outcome.rows("calls") == []
    assert "replication_key_value" not in outcome.state["bookmarks"]["calls"]


@pytest.mark.parametrize("total", [None, "6", {}])
def test_a_tree_without_a_total_is_taken_as_it_is(total: object) -> None:
    outcome = run(sandbox(Rule(put(("total",), total), match="aggregate/query", times=None)), TREE)
    assert outcome.error is None
    assert multiset(outcome.rows("calls")) == multiset(run(sandbox(), TREE).rows("calls"))


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("times", [1, None])
def test_an_error_with_status_200_is_requested_again_and_never_committed(
    mode: str, times: int | None
) -> None:
    """Smallest reproducer: ``{"error": "boom", "status": 500}`` with 200; the day was final with 0 rows."""

    def fail(_: Request, response: Response) -> Response:
        return replace(response, body=b'{"error": "boom", "status": 500}')

    settings = {**RESULTS, "queries": [{**CALLS, "mode": mode}], "max_retries": 2}
    match = PATH if mode == "sync" else "/results"
    outcome = run(sandbox(Rule(Fault("200", edit=fail), match=match, times=times)), settings)
    if times is None:
        assert isinstance(outcome.error, UnreadableError)
        assert "an error instead of results: 500: boom" in str(outcome.error)
        assert "replication_key_value" not in outcome.state["bookmarks"]["calls"]
        assert outcome.rows("extractions") == []
    else:
        assert outcome.error is None
        assert multiset(outcome.rows("calls")) == multiset(run(sandbox(), RESULTS).rows("calls"))
