"""The settings: the whole config with its defaults, checked before any request is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from tap_genesys_aggregates.config import regions
from tap_genesys_aggregates.config.queries import QueryDefaults, default_queries, read_queries
from tap_genesys_aggregates.config.reader import Reader
from tap_genesys_aggregates.config.settings_table import SETTINGS
from tap_genesys_aggregates.core.redaction import remember_client

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_genesys_aggregates.config.regions import Hosts
    from tap_genesys_aggregates.core.periods import Period
    from tap_genesys_aggregates.core.query import Api, OnQueryChange, Query

_MAX_ORGANIZATION = 100
"""Characters: it is a part of every key, and of index entries in a warehouse."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The config, checked and complete. ``config/settings_table.py`` describes each setting."""

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
    organization: str | None = None

    @classmethod
    def read(cls, config: Mapping[str, object], sdk_settings: tuple[str, ...] = ()) -> Settings:
        """Check a config.

        Args:
            config: Setting → value, as Singer passes it.
            sdk_settings: Names of the SDK's own settings, which are not checked here.

        Returns:
            The settings.

        Raises:
            SettingError: A setting is wrong. The message names it and says what it must be.
        """
        client_id, secret = config.get("client_id"), config.get("client_secret")
        if isinstance(client_id, str) and isinstance(secret, str):
            remember_client(client_id, secret)  # before any message could contain it
        read = Reader(config, SETTINGS)
        read.refuse_unknown(sdk_settings)
        start, end = read.instant("start_date"), read.instant("end_date")
        if start is None:
            raise read.missing("start_date")
        if end is not None and end <= start:
            raise read.error("end_date", "must be later than start_date")
        hosts = _hosts(read)
        api = _api(read, hosts)
        window, max_window = read.duration("window"), read.duration("max_window")
        if window is None or max_window is None:  # both have defaults
            raise read.missing("window")
        if max_window.min_seconds < window.min_seconds:
            raise read.error("max_window", f"is {max_window.text}, shorter than window ({window.text})")
        defaults = QueryDefaults(
            api=api,
            lookback_days=read.number("lookback_days") or 0,
            lookback_is_set=config.get("lookback_days") is not None,
            window=window,
            max_window=max_window,
            page_size=int(read.number("page_size") or 0),
            recheck_requests=int(read.number("recheck_requests") or 0),
            on_change=cast("OnQueryChange", read.text("on_query_change")),
            organization=_organization(read),
        )
        entries = read.items("queries")
        if entries is not None and not entries:
            raise read.error("queries", "is an empty list; leave it out to use the presets, or add a query")
        return cls(
            client_id=read.required("client_id"),
            client_secret=read.required("client_secret"),
            hosts=hosts,
            api=api,
            start_date=start,
            end_date=end,
            queries=read_queries(default_queries(api) if entries is None else entries, defaults),
            max_window=max_window,
            concurrency=int(read.number("concurrency") or 0),
            requests_per_minute=int(read.number("requests_per_minute") or 0),
            request_timeout=read.number("request_timeout") or 0,
            max_retries=int(read.number("max_retries") or 0),
            user_agent=_user_agent(read),
            organization=defaults.organization,
        )


def from_environment(
    config: Mapping[str, object], environment: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Take settings that a config leaves out from ``TAP_GENESYS_AGGREGATES_*`` and ``GENESYS_*`` variables.

    Args:
        config: The config; its values take precedence.
        environment: The variables; by default those of the process.

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
    """The hosts to send requests to."""
    base_url, token_url = read.url("base_url"), read.url("token_url")
    meant = regions.api_instead_of(base_url or "")
    if meant:
        raise read.error("base_url", f"{base_url!r} is not where the API is; did you mean {meant!r}?")
    try:
        return regions.hosts(read.required("region"), base_url, token_url)
    except ValueError as error:
        raise read.error("region", str(error)) from None


def _organization(read: Reader) -> str | None:
    """The name of the organization, which becomes a part of every key."""
    name = read.text("organization")
    if name is not None and (name != name.strip() or len(name) > _MAX_ORGANIZATION):
        problem = f"must have at most {_MAX_ORGANIZATION} characters, and no space before or after them"
        raise read.error("organization", problem)
    return name


def _user_agent(read: Reader) -> str:
    """The User-Agent header."""
    agent = read.required("user_agent")
    if not agent.isascii():
        raise read.error("user_agent", "must contain only ASCII characters, as HTTP headers do")
    return agent


def _api(read: Reader, hosts: Hosts) -> Api:
    """The API of the host."""
    api = read.text("api")
    if api == "results" or (api == "auto" and hosts.is_genesys_cloud):
        return "results"
    return "group_tree"
