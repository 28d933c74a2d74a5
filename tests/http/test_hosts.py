"""Where requests go: regions, gateways, and which API a host has."""

from __future__ import annotations

import pytest

from tap_genesys_aggregates.core.errors import SettingError
from tests.http.fake_server import GATEWAY, settings

REGIONS = {
    "us_east_1": "mypurecloud.com",
    "eu_west_1": "mypurecloud.ie",
    "ap_southeast_2": "mypurecloud.com.au",
    "ap_northeast_1": "mypurecloud.jp",
    "eu_central_1": "mypurecloud.de",
    "us_west_2": "usw2.pure.cloud",
    "ca_central_1": "cac1.pure.cloud",
    "ap_northeast_2": "apne2.pure.cloud",
    "eu_west_2": "euw2.pure.cloud",
    "ap_south_1": "aps1.pure.cloud",
    "us_east_2": "use2.us-gov-pure.cloud",
    "sa_east_1": "sae1.pure.cloud",
    "me_central_1": "mec1.pure.cloud",
    "ap_northeast_3": "apne3.pure.cloud",
    "eu_central_2": "euc2.pure.cloud",
    "mx_central_1": "mxc1.pure.cloud",
    "ap_southeast_1": "apse1.pure.cloud",
    "eusc_de_east_1": "edee1.eusc-pure.cloud",
}
"""Typed by hand, so that a mistake in data/regions.json is noticed."""


@pytest.mark.parametrize(("region", "domain"), REGIONS.items())
def test_every_region_has_its_hosts(region: str, domain: str) -> None:
    """A region can be given by its name or by its domain; either way it has the results API.

    Its name may have hyphens and capitals, and the domain may be the address of the API, the product or the
    login.
    """
    names = (region, region.replace("_", "-"), region.upper())
    addresses = (f"api.{domain}", f"https://apps.{domain}/", f"LOGIN.{domain}", f"https://{domain}")
    for written in (*names, domain, *addresses):
        found = settings(region=written)
        assert found.hosts.api == f"https://api.{domain}"
        assert found.hosts.token == f"https://login.{domain}/oauth/token"
        assert found.api == "results"


@pytest.mark.parametrize("domain", ["newr1.pure.cloud", "usw3.us-gov-pure.cloud", "genesys.example.org"])
def test_an_unknown_domain_is_accepted_as_a_region(domain: str) -> None:
    """A region that is newer than this version has the same hosts as any other."""
    found = settings(region=domain)
    assert found.hosts.api == f"https://api.{domain}"
    assert found.hosts.token == f"https://login.{domain}/oauth/token"
    assert found.api == "results"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://apps.mypurecloud.ie", "https://api.mypurecloud.ie"),
        ("https://login.usw2.pure.cloud/", "https://api.usw2.pure.cloud"),
        ("https://mypurecloud.de", "https://api.mypurecloud.de"),
        ("https://apps.newr1.pure.cloud", "https://api.newr1.pure.cloud"),
    ],
)
def test_a_base_url_that_is_not_the_api_is_refused(written: str, meant: str) -> None:
    """Requests would go to the product's pages."""
    with pytest.raises(SettingError) as error:
        settings(base_url=written)
    assert str(error.value) == f"base_url {written!r} is not where the API is; did you mean {meant!r}?"


@pytest.mark.parametrize(
    ("base_url", "api", "token"),
    [
        (GATEWAY, "group_tree", f"{GATEWAY}/oauth/token"),
        ("https://gateway.example.com:8443/", "group_tree", "https://gateway.example.com:8443/oauth/token"),
        (
            "https://gateway.example.com/genesys/",
            "group_tree",
            "https://gateway.example.com/genesys/oauth/token",
        ),
        ("http://localhost:8080", "group_tree", "http://localhost:8080/oauth/token"),
        ("https://api.mypurecloud.ie", "results", "https://login.mypurecloud.ie/oauth/token"),
        ("https://API.MyPureCloud.ie", "results", "https://login.mypurecloud.ie/oauth/token"),
        ("https://api.newr1.pure.cloud", "results", "https://login.newr1.pure.cloud/oauth/token"),
        (
            "https://mypurecloud.ie.example.com",
            "group_tree",
            "https://mypurecloud.ie.example.com/oauth/token",
        ),
        ("https://notmypurecloud.ie", "group_tree", "https://notmypurecloud.ie/oauth/token"),
    ],
)
def test_a_base_url_wins_over_the_region(base_url: str, api: str, token: str) -> None:
    """``api: auto`` means ``results`` on a Genesys Cloud domain, and ``group_tree`` elsewhere."""
    found = settings(base_url=base_url, region="eu_central_1")
    assert found.hosts.api == base_url.rstrip("/")
    assert found.hosts.token == token
    assert found.api == api


@pytest.mark.parametrize("api", ["results", "group_tree"])
def test_the_api_can_be_set_for_any_host(api: str) -> None:
    assert settings(api=api).api == api
    assert settings(api=api, base_url=GATEWAY).api == api


def test_token_url_wins_over_both_defaults() -> None:
    """Requests still go to the API's host."""
    for more in ({}, {"base_url": GATEWAY}):
        found = settings(token_url="https://sso.example.com/token", **more)
        assert found.hosts.token == "https://sso.example.com/token"
        assert found.hosts.api == more.get("base_url", "https://api.mypurecloud.com")
