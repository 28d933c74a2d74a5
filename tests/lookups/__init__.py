"""The look-ups, and the users that queries want named."""
