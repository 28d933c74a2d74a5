"""The config → frozen settings: every default and every check, before any request."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_genesys_aggregates.config import regions
from tap_genesys_aggregates.config.queries import Defaults, default_queries, read_queries
from tap_genesys_aggregates.config.reader import Reader
from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.redaction import remember_client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_genesys_aggregates.config.regions import Hosts
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Api, Query


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user wants, checked and complete; names are those of the settings contract."""

    client_id: str
    client_secret: str = field(repr=False)
    hosts: Hosts
    api: Api
    start_date: datetime
    end_date: datetime | None
    queries: tuple[Query, ...]
    max_window: Period
    concurrency: int
    requests_per_minute: int
    request_timeout: float
    max_retries: int
    user_agent: str

    @classmethod
    def read(cls, config: Mapping[str, object], also: tuple[str, ...] = ()) -> Settings:
        """Check a config.

        Args:
            config: Setting → value, as Singer gives it.
            also: Names that are the SDK's own settings.

        Returns:
            The settings.

        Raises:
            SettingError: One is wrong; the message names it and says what it wants.
        """
        client_id, secret = config.get("client_id"), config.get("client_secret")
        if isinstance(client_id, str) and isinstance(secret, str):
            remember_client(client_id, secret)  # before there is any message
        read = Reader(config, SETTINGS)
        read.unknown(also)
        start, end = read.instant("start_date"), read.instant("end_date")
        if start is None:
            read.needed("start_date")
            raise read.refuse("start_date", "it is missing")
        if end is not None and end <= start:
            raise read.refuse("end_date", "it wants an instant after start_date")
        hosts = _hosts(read)
        api = _api(read, hosts)
        window, most = read.duration("window"), read.duration("max_window")
        if window is None or most is None:
            raise read.refuse("window", "it wants an ISO 8601 duration")
        if most.min_seconds < window.min_seconds:
            raise read.refuse("max_window", f"{most.text} is shorter than window, {window.text}")
        defaults = Defaults(
            api=api,
            lookback_days=read.number("lookback_days") or 0,
            lookback_is_set=config.get("lookback_days") is not None,
            window=window,
            max_window=most,
            start=start,
            page_size=int(read.number("page_size") or 0),
        )
        entries = read.items("queries")
        if entries is not None and not entries:
            raise read.refuse("queries", "the list is empty; leave it out for the presets, or name a query")
        return cls(
            client_id=read.needed("client_id"),
            client_secret=read.needed("client_secret"),
            hosts=hosts,
            api=api,
            start_date=start,
            end_date=end,
            queries=read_queries(default_queries(api) if entries is None else entries, defaults),
            max_window=most,
            concurrency=int(read.number("concurrency") or 0),
            requests_per_minute=int(read.number("requests_per_minute") or 0),
            request_timeout=read.number("request_timeout") or 0,
            max_retries=int(read.number("max_retries") or 0),
            user_agent=_user_agent(read),
        )


def from_environment(
    config: Mapping[str, object], environment: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Fill what a config leaves out from ``TAP_GENESYS_AGGREGATES_*`` and ``GENESYS_*``.

    Args:
        config: The config; what it holds wins.
        environment: Where to look; by default the process's own.

    Returns:
        A new config.
    """
    variables = os.environ if environment is None else environment
    filled = dict(config)
    for setting in SETTINGS.values():
        if filled.get(setting.name) is not None:
            continue
        for name in (setting.variable, setting.alias):
            if name and variables.get(name):
                filled[setting.name] = variables[name]
                break
    return filled


def _hosts(read: Reader) -> Hosts:
    """Where requests go."""
    base_url, token_url = read.url("base_url"), read.url("token_url")
    try:
        return regions.hosts(read.needed("region"), base_url, token_url)
    except ValueError as error:
        raise read.refuse("region", str(error)) from None


def _user_agent(read: Reader) -> str:
    """What goes in a header, which has no other letters."""
    agent = read.needed("user_agent")
    if not agent.isascii():
        raise read.refuse("user_agent", "it wants letters of ASCII only, as headers do")
    return agent


def _api(read: Reader, hosts: Hosts) -> Api:
    """The contract spoken."""
    api = read.text("api")
    if api == "results" or (api == "auto" and hosts.is_genesys_cloud):
        return "results"
    return "group_tree"
