"""Which requests meet a fault: by rules, by chance, or by any function."""

from __future__ import annotations

from datetime import datetime, timezone

from genesys_sandbox import Request, Rule, Rules, Sandbox, SandboxClient, faults

PATH = "/api/v2/analytics/conversations/aggregates/query"
QUERY = {"interval": "2025-06-03T09:00Z/2025-06-03T12:00Z", "metrics": ["tHandle"]}
NOON = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


def troubled(*rules: Rule) -> Sandbox:
    """A sandbox with these faults."""
    return Sandbox(now=lambda: NOON, faults=Rules(*rules))


def names(sandbox: Sandbox, targets: list[str]) -> list[str]:
    """The faults that a series of requests meets."""
    plan = sandbox.faults
    assert plan is not None
    met = [plan(number, Request("POST", target)) for number, target in enumerate(targets, 1)]
    return [fault.name if fault else "" for fault in met]


def test_rules_say_when() -> None:
    """A rule matches a part of the request, lets some pass, and happens so often, or each so-manyeth time."""
    sandbox = troubled(
        Rule(faults.status(500), match="POST /b", after=1, times=2),
        Rule(faults.status(503), match="/a", times=None, every=3),
    )
    assert names(sandbox, ["/a", "/a", "/b", "/b", "/b", "/b"]) == [
        "status 503",
        "",
        "",
        *["status 500"] * 2,
        "",
    ]
    assert names(sandbox, ["/a", "/a", "/a", "/a"]) == ["", "status 503", "", ""]


def test_the_first_rule_that_applies_counts() -> None:
    """Where two rules apply to one request, the first is met and both have counted it."""
    sandbox = troubled(Rule(faults.status(500)), Rule(faults.status(503), times=2))
    assert names(sandbox, ["/a", "/a", "/a"]) == ["status 500", "status 503", ""]


def test_sprinkled_faults_are_a_share() -> None:
    """Sprinkling hits about the share that was asked for, the same requests each time."""
    plan = faults.random_faults(0.2)
    hits = [number for number in range(1, 1001) if plan(number, Request("GET", "/"))]
    assert 150 < len(hits) < 250
    assert hits == [number for number in range(1, 1001) if plan(number, Request("GET", "/"))]


def test_a_plan_may_be_any_function() -> None:
    """The number of the request and the request are what a plan decides by."""
    sandbox = Sandbox(now=lambda: NOON)
    caller = SandboxClient(sandbox)
    sandbox.faults = lambda number, request: faults.status(503) if number == 3 and request.body else None
    answers = [caller.ask("POST", PATH, QUERY).status for _ in range(3)]
    assert answers == [200, 503, 200]
