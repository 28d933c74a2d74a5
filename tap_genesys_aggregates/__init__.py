"""A Singer tap for Genesys Cloud analytics aggregates."""

from importlib.metadata import version

__version__ = version("tap-genesys-aggregates")
