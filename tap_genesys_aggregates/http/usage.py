"""What it costs to fetch something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Usage:
    """A count that grows while something is fetched.

    Attributes:
        requests: Requests sent, tries included.
        retries: Requests among them that were sent again.
        bytes: Bytes of the answers, uncompressed.
        seconds: Time spent.
        pages: Pages that came.
        rows: Rows that came.
        split: Whether the server could not answer for a longer window at once.
    """

    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    pages: int = 0
    rows: int = 0
    split: bool = False

    def add(self, other: Usage) -> None:
        """Count another's cost too."""
        self.requests += other.requests
        self.retries += other.retries
        self.bytes += other.bytes
        self.seconds += other.seconds
        self.pages += other.pages
        self.rows += other.rows
        self.split = self.split or other.split
