"""A Singer tap for Genesys Cloud analytics aggregates."""
