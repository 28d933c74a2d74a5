"""``python -m tap_genesys_aggregates``: the same as the command ``tap-genesys-aggregates``."""

from __future__ import annotations

from tap_genesys_aggregates.tap import TapGenesysAggregates

if __name__ == "__main__":
    TapGenesysAggregates.cli()
