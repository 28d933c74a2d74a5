"""The table of look-ups: what its entries must be like, and which names they take."""

from __future__ import annotations

import re

import pytest

from tap_genesys_aggregates.config.queries import RESERVED, presets
from tap_genesys_aggregates.config.settings import Settings
from tap_genesys_aggregates.core.errors import SettingError
from tap_genesys_aggregates.dialects.lookup_lists import lookups
from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.lookups.scene import CALLS, PATHS
from tests.pipeline.running import config


def test_the_lists_are_those_of_the_platform() -> None:
    """Ten lists, each where the platform documents it."""
    assert {name: lookup.path for name, lookup in lookups().items()} == PATHS


@pytest.mark.parametrize("name", PATHS)
def test_every_entry_is_complete(name: str) -> None:
    """Each table has the key ``id``, a name, no column twice, and says of every column what it is."""
    columns = lookups()[name].table
    assert [each.name for each in columns if each.key] == ["id"]
    assert len({each.name for each in columns}) == len(columns)
    assert {"id", "name", "extracted_at"} <= {each.name for each in columns}
    assert all(re.fullmatch("[a-z][a-z0-9_]*", each.name) for each in columns)
    assert all(re.fullmatch(r"\w.*[^.]\. \[(response: [\w.]+|tap)\]", each.description) for each in columns)


@pytest.mark.parametrize("name", [*PATHS, "extractions"])
def test_a_query_cannot_take_the_name_of_a_look_up(name: str) -> None:
    """A query that is called like a stream of the tap's own is refused, and so no preset is."""
    with pytest.raises(SettingError, match="is the name of one of the tap's own streams; choose another"):
        Settings.read(config(queries=[{**CALLS, "name": name}]))
    assert name in RESERVED
    assert name not in presets()


def test_a_group_tree_host_has_no_look_ups() -> None:
    """The lists are Genesys Cloud's: where another contract is spoken there are none."""
    settings = config(api="group_tree", queries=[{"preset": "conversation_aggregates"}])
    assert set(TapGenesysAggregates(config=settings).streams) == {"conversation_aggregates", "extractions"}
