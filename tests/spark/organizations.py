"""Two organizations, each with a sandbox that knows its own client alone, and what is read of them."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Options, Sandbox, SettableClock, serve
from tests.pipeline.running import config
from tests.spark.reading import as_singer, rows_of_tap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pipeline.running import Row

NOW = datetime(2026, 3, 12, 5, tzinfo=timezone.utc)
SECRETS = {"acme": "the-secret-of-acme-4711", "globex": "the-secret-of-globex-0815"}
ENVIRONMENT = {f"{name.upper()}_SECRET": secret for name, secret in SECRETS.items()}
"""The variables that the references name. Every session has them, and hands them to its workers."""
CALLS: dict[str, Any] = {
    "name": "calls",
    "metrics": ["nOffered", "tHandle"],
    "group_by": ["queueId"],
    "granularity": "PT1H",
}


@dataclass(frozen=True)
class Organization:
    """An organization.

    Attributes:
        name: Its name.
        sandbox: Its platform.
        url: Where that is.
    """

    name: str
    sandbox: Sandbox
    url: str

    @property
    def client(self) -> dict[str, str]:
        """The settings of its client; the secret is literal."""
        return {
            "organization": self.name,
            "client_id": f"client-{self.name}",
            "client_secret": SECRETS[self.name],
        }

    @property
    def entry(self) -> dict[str, Any]:
        """Its entry of the option ``organizations``; the secret is a reference."""
        secret = {"env": f"{self.name.upper()}_SECRET"}
        return {**self.client, "base_url": self.url, "client_secret": secret}


@contextmanager
def organizations(
    options: Options | None = None, now: Callable[[], datetime] | None = None
) -> Iterator[list[Organization]]:
    """Serve the organizations; each has other data.

    Args:
        options: Options of both sandboxes.
        now: Their clock; by default it stands.
    """
    with ExitStack() as stack:
        found = []
        for seed, (name, secret) in enumerate(SECRETS.items()):
            chosen = replace(
                options or Options(volume=0.2), seed=seed, credentials=(f"client-{name}", secret)
            )
            sandbox = Sandbox(chosen, now=now or SettableClock(NOW))
            found.append(Organization(name, sandbox, stack.enter_context(serve(sandbox))))
        yield found


def reader(spark: Any, served: list[Organization], **options: str) -> Any:
    """A reader of organizations: ``reader(…).load("calls")``."""
    entries = json.dumps([each.entry for each in served])
    every = {"start_date": "2026-03-02", "api": "results", "queries": json.dumps([CALLS]), **options}
    return spark.read.format("genesys_aggregates").options(**every, organizations=entries)


def rows(frame: Any) -> list[Row]:
    """The rows of a DataFrame as Singer messages have them, whatever time zone the session is in."""
    return [_as_singer(row) for row in frame.toArrow().to_pylist()]


def rows_of_taps(served: list[Organization], **settings: Any) -> list[Row]:
    """The tap's rows of all organizations."""
    found: list[Row] = []
    for each in served:
        found += rows_of_tap(each.sandbox, "calls", config(queries=[CALLS], **each.client, **settings))
    return [*map(_as_singer, found)]


def _as_singer(row: Row) -> Row:
    return {name: as_singer(value) for name, value in row.items()}
