"""Queries that are answered by jobs."""
