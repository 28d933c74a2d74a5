"""The platform's official client, as a second witness."""
