"""The views and the reconciliation, in a real PostgreSQL."""
