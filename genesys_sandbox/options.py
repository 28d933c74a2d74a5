"""The options of a sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a sandbox; the defaults are a well-behaved platform.

    Attributes:
        seed: Decides every event.
        agents: Number of users.
        volume: Scales the number of conversations; 1 is about 420 on a Monday.
        zone: IANA time zone of the contact center's opening hours.
        rewrites: Whether past data changes afterwards.
        settle_days: Age in days from which data no longer changes, at least 4.
        replay: Whether the real sample week is served for exactly its interval.
        credentials: The only accepted client ID and secret; None accepts any that are not empty.
        expires_in: Token lifetime in seconds that the token response announces.
        token_life: Actual token lifetime in seconds; None for `expires_in`.
        unrequested_media_type: Groups of conversations carry `mediaType` even if it was not requested.
        local_offsets: Intervals in responses carry the offset of the requested zone instead of `Z`.
        empty: The form of a results response without results.
        absolute_links: Links to next pages carry scheme, host and port.
        nesting: Order of the tree's levels: the interval last, or as requested.
        empty_pages: An empty page with a link precedes every group-tree page but the first.
        omit_ids: Tree nodes of an unset dimension have no `id` instead of `unknown`.
        max_results: Rows (groups times buckets) above which a query is rejected; None for no limit.
        too_large_status: Status of that rejection.
        slow_over: Longest interval that does not time out (504); None for no limit.
        longest: Longest interval that is accepted (otherwise 400); None for no limit.
        requests_per_minute: Requests per token and clock minute before 429; None for no limit.
        forbidden: Path prefixes that get 403.
        jobs_fail: How many jobs fail first.
        jobs_expire: How many jobs expire after those.
        latency: Seconds before every response.
        organization: Name of the organization; None if the path that tells it is not found.
    """

    seed: int = 7
    agents: int = 25
    volume: float = 1.0
    zone: str = "Europe/London"
    rewrites: bool = False
    settle_days: int = 7
    replay: bool = True
    credentials: tuple[str, str] | None = None
    expires_in: int = 3600
    token_life: float | None = None
    unrequested_media_type: bool = False
    local_offsets: bool = False
    empty: Literal["list", "null", "absent"] = "list"
    absolute_links: bool = False
    nesting: Literal["dimensions_first", "as_requested"] = "dimensions_first"
    empty_pages: bool = False
    omit_ids: bool = False
    max_results: int | None = None
    too_large_status: int = 400
    slow_over: timedelta | None = None
    longest: timedelta | None = None
    requests_per_minute: int | None = None
    forbidden: frozenset[str] = frozenset()
    jobs_fail: int = 0
    jobs_expire: int = 0
    latency: float = 0.0
    organization: str | None = "Sandbox Ltd"
