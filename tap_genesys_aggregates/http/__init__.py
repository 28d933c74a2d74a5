"""One HTTP request: the rate limit, retries, limits on the response, and errors."""
