"""One request: retry, rate limit, response limits, errors."""
