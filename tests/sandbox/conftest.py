"""Fixtures: a sandbox whose clock stands at noon on Monday, June 30, 2025."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from genesys_sandbox import Sandbox, SandboxClient, SettableClock


@pytest.fixture(scope="session")
def noon() -> datetime:
    """The current time of the sandbox, unless a test sets another."""
    return datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


@pytest.fixture
def clock(noon: datetime) -> SettableClock:
    """A clock that the test moves itself."""
    return SettableClock(noon)


@pytest.fixture(scope="session")
def sandbox(noon: datetime) -> Sandbox:
    """A well-behaved sandbox that all tests share: only its log changes."""
    return Sandbox(now=lambda: noon)


@pytest.fixture(scope="session")
def client(sandbox: Sandbox) -> SandboxClient:
    """A client with a token for the shared sandbox."""
    return SandboxClient(sandbox)
