"""The SDK's standard tests for taps, for both APIs, against a served sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from genesys_sandbox import Sandbox, serve
from tap_genesys_aggregates.tap import TapGenesysAggregates

from .conftest import NOW
from .process import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def _full_catalog(config: dict[str, Any]) -> dict[str, Any]:
    """The tap's catalog with every stream selected, including those that are not by default."""
    catalog: dict[str, Any] = TapGenesysAggregates(config=config).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] in ((), []):
                entry["metadata"]["selected"] = True
    return catalog


# Some columns of the lookups are null in every row of the sandbox, and the suite warns about that.
pytestmark = pytest.mark.filterwarnings("ignore:No records were available to test")

# The suite discovers streams while pytest collects it, which sends no request; `_served` sets the host later.
DAY = {"start_date": "2025-06-19T00:00:00Z", "end_date": "2025-06-20T00:00:00Z"}
RESULTS = {**settings("https://sandbox.invalid", "results"), **DAY}
GROUP_TREE = {**settings("https://sandbox.invalid", "group_tree"), **DAY}
SUITE = SuiteConfig(max_records_limit=None)


@pytest.fixture(scope="module", autouse=True)
def _served() -> Iterator[None]:
    with serve(Sandbox(now=lambda: NOW)) as url:
        for config in (RESULTS, GROUP_TREE):
            config["base_url"] = url
        yield


TestResults = pytest.mark.slow(
    get_tap_test_class(
        TapGenesysAggregates, config=RESULTS, suite_config=SUITE, catalog=_full_catalog(RESULTS)
    )
)
TestGroupTree = get_tap_test_class(
    TapGenesysAggregates, config=GROUP_TREE, suite_config=SUITE, catalog=_full_catalog(GROUP_TREE)
)
