"""Tests of one HTTP request: token, rate limit, retries, limits on responses, errors."""
