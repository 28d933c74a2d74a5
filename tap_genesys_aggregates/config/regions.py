"""Regions of Genesys Cloud and their hosts (docs/api-notes.md, "Regions")."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

from tap_genesys_aggregates.config.reader import suggestion

_SUBDOMAIN = re.compile(r"(https://)?(api|apps|login)\.", re.IGNORECASE)
"""What precedes the domain in addresses that users copy."""
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where requests go.

    Attributes:
        api: Base URL of the API, without a trailing slash.
        token: URL that issues tokens.
        is_genesys_cloud: Whether the API's host is on a Genesys Cloud domain.
    """

    api: str
    token: str
    is_genesys_cloud: bool


@cache
def domains() -> dict[str, str]:
    """Region name → domain, from the package's data."""
    text = resources.files("tap_genesys_aggregates").joinpath("data/regions.json").read_text("utf-8")
    return {str(name): str(domain) for name, domain in json.loads(text).items()}


def domain_of(region: str) -> str:
    """The domain of a region.

    Args:
        region: A name (``eu_west_1``, ``EU-WEST-1``), a bare domain (``mypurecloud.ie``), or the address of
            API, a product or a login (``https://apps.mypurecloud.ie/``).

    Returns:
        The domain.

    Raises:
        ValueError: The text is none of these.
    """
    written = region.strip().lower()
    known = domains().get(written.replace("-", "_"))
    if known is not None:
        return known
    domain = _SUBDOMAIN.sub("", written.removesuffix("/")).removeprefix("https://")
    if _DOMAIN.fullmatch(domain):
        return domain
    names = ", ".join(domains())
    hint = suggestion(domain, domains().values()) or suggestion(written.replace("-", "_"), domains())
    msg = (
        f"{region!r} is neither the name of a region ({names}) nor a bare domain such as mypurecloud.ie{hint}"
    )
    raise ValueError(msg)


def hosts(region: str, base_url: str | None, token_url: str | None) -> Hosts:
    """Derive the hosts from the settings; ``base_url`` overrides ``region``.

    Args:
        region: A name or a bare domain.
        base_url: URL of the API host, for a gateway or a sandbox.
        token_url: URL that issues tokens, if not the usual one.

    Returns:
        The hosts.
    """
    # A domain given as the region counts as one of Genesys Cloud, even if this version does not know it.
    given = None if base_url else domain_of(region)
    api = (base_url or f"https://api.{given}").rstrip("/")
    domain = given or _genesys_domain(urlsplit(api).hostname or "")
    usual = f"https://login.{domain}/oauth/token" if domain else f"{api}/oauth/token"
    return Hosts(api, token_url or usual, is_genesys_cloud=bool(domain))


def api_instead_of(base_url: str) -> str | None:
    """The URL that was meant by a ``base_url`` on a Genesys Cloud domain that is not the API's host.

    Args:
        base_url: A URL.

    Returns:
        The API's URL if the host is the domain itself, the product (``apps.``) or the login.
    """
    host = urlsplit(base_url).hostname or ""
    domain = _SUBDOMAIN.sub("", host)
    if host == f"api.{domain}" or _genesys_domain(host) not in {host, domain}:
        return None
    return f"https://api.{domain}"


def _genesys_domain(host: str) -> str | None:
    """The Genesys Cloud domain that a host belongs to, or None for any other host."""
    for domain in domains().values():
        if host == domain or host.endswith(f".{domain}"):
            return domain
    if host.endswith(".pure.cloud"):  # a region that is newer than this version
        return host.removeprefix("api.")
    return None
