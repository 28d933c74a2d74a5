"""What it costs to fetch something; the ledger reports it for every window."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """Counters that grow while something is fetched.

    Attributes:
        requests: Requests sent, retries included.
        retries: Retries among them.
        bytes: Bytes of the responses, uncompressed.
        seconds: Time spent.
        pages: Pages received.
        rows: Rows received.
        slowest: Seconds that the slowest response took, from sending to its last byte.
        split: Whether a window had to be split because the server could not answer for all of it.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    pages: int = 0
    rows: int = 0
    slowest: float = 0.0
    split: bool = False

    def add(self, other: Usage) -> None:
        """Add the counters of another ``Usage``."""
        self.requests += other.requests
        self.retries += other.retries
        self.bytes += other.bytes
        self.seconds += other.seconds
        self.pages += other.pages
        self.rows += other.rows
        self.slowest = max(self.slowest, other.slowest)
        self.split = self.split or other.split
