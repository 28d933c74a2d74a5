"""Requests a minute, counted per token by the sandbox's clock, and who may ask what."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from genesys_sandbox.instants import MINUTE, SECOND
from genesys_sandbox.messages import refuse

if TYPE_CHECKING:
    from genesys_sandbox.options import Options

_USUAL = 300


class Pace:
    """How often each token asked in this minute of the clock."""

    def __init__(self, options: Options) -> None:
        """Refuse above the options' limit; without one, only announce the platform's."""
        self._limit = options.requests_per_minute
        self._counts: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def count(self, token: str, as_of: int) -> dict[str, str]:
        """Count one request; answers the headers that say how many there were."""
        minute = as_of // MINUTE
        with self._lock:
            if (token, minute) not in self._counts:
                self._counts = {known: count for known, count in self._counts.items() if known[1] >= minute}
            count = self._counts[token, minute] = self._counts.get((token, minute), 0) + 1
        reset = -(-(MINUTE - as_of % MINUTE) // SECOND)
        return {
            "inin-ratelimit-allowed": str(self._limit or _USUAL),
            "inin-ratelimit-count": str(count),
            "inin-ratelimit-reset": str(reset),
        }

    def check(self, headers: dict[str, str]) -> None:
        """Refuse what is too much, by its own headers.

        Raises:
            RefusedError: 429, with `Retry-After` in seconds.
        """
        if self._limit is None or int(headers["inin-ratelimit-count"]) <= self._limit:
            return
        seconds = headers["inin-ratelimit-reset"]
        refuse(
            "Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds",
            "too.many.requests",
            status=429,
            headers={"Retry-After": seconds},
            seconds=seconds,
        )


def check_permission(path: str, permissions: tuple[str, ...], forbidden: frozenset[str]) -> None:
    """Refuse a path that is forbidden, naming what is missing.

    Raises:
        RefusedError: 403.
    """
    if not any(path.startswith(prefix) for prefix in forbidden):
        return
    if len(permissions) > 1:
        message = "Unable to perform the requested action. You must have at least one of the following permissions: {permissions}"  # noqa: E501
        refuse(message, "missing.any.permissions", status=403, permissions=", ".join(permissions))
    message = (
        "Unable to perform the requested action. You are missing the following permission(s): {permissions}"
    )
    refuse(message, "missing.permissions", status=403, permissions=", ".join(permissions))
