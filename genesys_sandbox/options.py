"""What a sandbox can be told to be like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Options:
    """Everything adjustable; the defaults are a well-behaved platform.

    Attributes:
        seed: Decides every fact.
        agents: Number of users.
        volume: Scales the number of conversations; 1 is about 420 on a Monday.
        zone: IANA zone in which the centre opens and closes.
        rewrites: Whether history changes afterwards.
        settle_days: Age from which history no longer changes, at least 4.
        replay: Whether the real sample week is served for exactly its interval.
        credentials: The one client id and secret accepted; None accepts any that are not empty.
        expires_in: Seconds that a token is said to live.
        token_life: Seconds that it really lives; None for `expires_in`.
        unasked_media_type: `mediaType` comes in conversation groups unasked.
        local_offsets: Answered intervals carry the offset of the asked zone instead of `Z`.
        empty: What a results answer without any result looks like.
        absolute_links: Links to next pages carry scheme, host and port.
        nesting: Order of the tree's levels: the interval last, or as asked.
        empty_pages: An empty page with a link follows every tree page that has a successor.
        omit_ids: Tree nodes of an unset dimension have no `id` instead of `unknown`.
        max_results: Rows (groups times buckets) above which a query is refused; None for no limit.
        too_large_status: Status of that refusal.
        slow_over: Longest interval that does not time out (504); None for any.
        longest: Longest interval that is not refused (400); None for any.
        requests_per_minute: Requests per token and clock minute; the next one gets 429. None for any number.
        forbidden: Path prefixes that answer 403.
        jobs_fail: So many jobs fail first.
        jobs_expire: So many jobs, after the failed ones, expire.
        latency: Seconds before every answer.
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
    unasked_media_type: bool = False
    local_offsets: bool = False
    empty: Literal["list", "null", "absent"] = "list"
    absolute_links: bool = False
    nesting: Literal["dimensions_first", "as_asked"] = "dimensions_first"
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
