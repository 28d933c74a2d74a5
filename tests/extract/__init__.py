"""Tests of extraction: asynchronous jobs, lookups, batches of users, pages, progress."""
