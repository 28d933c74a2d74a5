"""Look-ups are off unless they are selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_genesys_aggregates.tap import TapGenesysAggregates
from tests.lookups.scene import CALLS, NOW, PATHS, SOON, asked, catalog, pull, sandbox
from tests.pipeline.running import Time, config, run

if TYPE_CHECKING:
    from genesys_sandbox import Sandbox


def default_of(name: str) -> Any:
    """Whether discovery says that a stream is selected by default."""
    found: dict[str, Any] = TapGenesysAggregates(config=config(**SOON)).catalog_dict
    (stream,) = (each for each in found["streams"] if each["tap_stream_id"] == name)
    (whole,) = (each["metadata"] for each in stream["metadata"] if not each["breadcrumb"])
    return whole["selected-by-default"]


def lists_asked(of: Sandbox) -> set[str]:
    """The look-ups that were asked for."""
    return {name for name, path in PATHS.items() if asked(of, path)}


def test_discovery_leaves_look_ups_off() -> None:
    """The catalogue has them, with ``selected-by-default`` false; queries are on."""
    assert not any(default_of(name) for name in PATHS)
    assert default_of("calls") is True


def test_a_run_without_a_catalogue_asks_for_none() -> None:
    """Who does not know of them does not pay for them, nor needs their permissions."""
    centre = sandbox()
    outcome = run(centre, config(**SOON), time=Time(NOW))
    assert outcome.error is None
    assert lists_asked(centre) == set()
    assert {message.get("stream") for message in outcome.messages} <= {"calls", "extractions", None}


def test_a_catalogue_of_discovery_asks_for_none() -> None:
    """Discovery's own catalogue, handed back as it is, selects none."""
    centre = sandbox()
    assert pull(centre).error is None
    assert lists_asked(centre) == set()


def test_only_what_is_selected_is_asked_for() -> None:
    """Two of ten: two lists are read, beside the queries, and leave no state."""
    centre = sandbox()
    outcome = pull(centre, "queues", "teams", queries=[{**CALLS, "name": "volumes"}])
    assert lists_asked(centre) == {"queues", "teams"}
    assert outcome.rows("queues")
    assert outcome.rows("teams")
    assert outcome.rows("volumes")
    assert set(outcome.state["bookmarks"]) == {"volumes"}


def test_a_column_can_be_left_out() -> None:
    """What is deselected goes out of the stream, and not out of the list that queries look into."""
    settings = config(**{**SOON, "queries": [{"preset": "agent_status", "name": "volumes"}]})
    found = catalog(settings, "users")
    (users,) = (each for each in found["streams"] if each["tap_stream_id"] == "users")
    for each in users["metadata"]:
        if each["breadcrumb"] and each["breadcrumb"][-1] != "id":
            each["metadata"]["selected"] = False
    centre = sandbox()
    outcome = run(centre, settings, time=Time(NOW), catalog=found)
    assert [set(row) for row in outcome.rows("users")] == [{"id"}] * 25
    assert len(asked(centre, PATHS["users"])) == 1
    assert outcome.rows("volumes")


def test_every_run_brings_the_whole_list() -> None:
    """With the state of an earlier run all entries come again, so that a new name replaces the old one."""
    first = pull(sandbox(), "queues")
    second = pull(sandbox(), "queues", state=first.state)
    assert second.rows("queues") == first.rows("queues") != []
