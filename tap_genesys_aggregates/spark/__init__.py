"""A Spark data source, ``genesys_aggregates``: the tap's tables as DataFrames, many organizations at once."""

from tap_genesys_aggregates.spark.data_source import GenesysAggregatesDataSource

__all__ = ["GenesysAggregatesDataSource"]
