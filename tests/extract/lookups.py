"""Set-up for tests of lookups: a sandbox at noon of a Wednesday, and runs that select some of its lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from typing_extensions import override

from genesys_sandbox import Fault, Options, Request, Response, Rule, Rules, Sandbox, directory
from genesys_sandbox.faults import put
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.pipeline.running import ManualClock, Outcome, config, run

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)
START = datetime(2026, 3, 3, tzinfo=timezone.utc)
STOP = START + timedelta(days=1)

CALLS = {"name": "calls", "metrics": ["nOffered"], "granularity": "P1D"}
ONE_DAY = {"start_date": "2026-03-03T00:00:00Z", "end_date": "2026-03-04T00:00:00Z", "queries": [CALLS]}

PATHS = {
    "queues": "/api/v2/routing/queues",
    "users": "/api/v2/users",
    "wrapup_codes": "/api/v2/routing/wrapupcodes",
    "presence_definitions": "/api/v2/presence/definitions",
    "divisions": "/api/v2/authorization/divisions",
    "skills": "/api/v2/routing/skills",
    "languages": "/api/v2/routing/languages",
    "flows": "/api/v2/flows",
    "teams": "/api/v2/teams",
    "user_groups": "/api/v2/groups",
}


class SmallPages(Sandbox):
    """A sandbox that returns smaller pages than it is asked for."""

    size = 2

    @override
    def handle(self, request: Request) -> Response:
        if request.method != "GET":
            return super().handle(request)
        query = urlencode({**request.query, "pageSize": self.size})
        return super().handle(replace(request, target=f"{request.path}?{query}"))


def sandbox_with(*rules: Rule, small: bool = False, **options: Any) -> Sandbox:
    """A sandbox whose clock stands at ``NOW``; ``small`` for pages of two entries."""
    kind = SmallPages if small else Sandbox
    return kind(Options(**{"volume": 0.1, **options}), now=lambda: NOW, faults=Rules(*rules))


def always(fault: Fault, match: str) -> Rule:
    """A fault of every matching request."""
    return Rule(fault, match=match, times=None)


def put_all(*values: tuple[str, object]) -> Fault:
    """A fault that replaces several fields of a response."""
    edits = [put((name,), value).edit for name, value in values]

    def edit(request: Request, response: Response) -> Response:
        for each in edits:
            assert each is not None
            response = each(request, response)
        return response

    return Fault(f"put {values!r}", edit=edit)


def expected_names(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """The name of every entry by its id, for each lookup."""
    presences = [each for several in directory.PRESENCES.values() for each in several]
    known: dict[str, Iterable[directory.Entity | directory.Agent]] = {
        "queues": directory.QUEUES,
        "users": sandbox.history.contact_center.directory.agents,
        "wrapup_codes": directory.WRAP_UP_CODES,
        "presence_definitions": presences,
        "divisions": directory.DIVISIONS,
        "skills": directory.SKILLS,
        "languages": directory.LANGUAGES,
        "flows": directory.FLOWS,
        "teams": directory.TEAMS,
        "user_groups": directory.GROUPS,
    }
    return {name: {each.id: each.name for each in things} for name, things in known.items()}


def catalog(settings: dict[str, Any], *selected: str) -> dict[str, Any]:
    """The catalog of discovery, with some lookups selected."""
    found: dict[str, Any] = TapGenesysAggregates(config=settings).catalog_dict
    for stream in found["streams"]:
        if stream["tap_stream_id"] in selected:
            (whole,) = (each for each in stream["metadata"] if not each["breadcrumb"])
            whole["metadata"]["selected"] = True
    return found


def run_with(
    sandbox: Sandbox, *selected: str, state: dict[str, Any] | None = None, **changes: Any
) -> Outcome:
    """Run the tap once, with some lookups selected."""
    settings = config(**{**ONE_DAY, **changes})
    return run(sandbox, settings, state=state, time=ManualClock(NOW), catalog=catalog(settings, *selected))


def requests_to(sandbox: Sandbox, path: str) -> list[dict[str, str]]:
    """The parameters of each request to a path."""
    return [dict(entry.query) for entry in sandbox.log if entry.path == path]


def names_by_id(rows: list[dict[str, Any]]) -> dict[str, str]:
    """The name of each row by its id."""
    return {row["id"]: row["name"] for row in rows}
