"""A sandbox that stands still at noon of Monday 30 June 2025."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from genesys_sandbox import Sandbox, SandboxClient, SettableClock


@pytest.fixture(scope="session")
def noon() -> datetime:
    """When it is, unless a test says otherwise."""
    return datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


@pytest.fixture
def clock(noon: datetime) -> SettableClock:
    """A clock of the test's own."""
    return SettableClock(noon)


@pytest.fixture(scope="session")
def sandbox(noon: datetime) -> Sandbox:
    """A well-behaved sandbox that all tests share: it changes nothing but its log."""
    return Sandbox(now=lambda: noon)


@pytest.fixture(scope="session")
def caller(sandbox: Sandbox) -> SandboxClient:
    """Somebody with a token for it."""
    return SandboxClient(sandbox)
