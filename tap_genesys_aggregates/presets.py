"""The presets: queries that need no more than their name."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tap_genesys_aggregates.core.query import Api


@cache
def presets() -> dict[str, dict[str, Any]]:
    """The presets by name: fields of a query, with ``api`` and ``says`` beside them."""
    text = resources.files("tap_genesys_aggregates").joinpath("data/presets.json").read_text("utf-8")
    return cast("dict[str, dict[str, Any]]", json.loads(text))


def default_queries(api: Api) -> list[object]:
    """What is asked where the config names no queries."""
    names = {
        "results": ("queue_performance", "agent_performance"),
        "group_tree": ("conversation_aggregates",),
    }
    return [{"preset": name} for name in names[api]]
