"""Registers the data source: Spark imports modules called ``pyspark_*`` and looks for ``DefaultSource``."""

from tap_genesys_aggregates.spark import GenesysAggregatesDataSource as DefaultSource

__all__ = ["DefaultSource"]
