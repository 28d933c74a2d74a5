"""Benchmarks: the tap's speed, memory and number of requests, each relative to something comparable."""
