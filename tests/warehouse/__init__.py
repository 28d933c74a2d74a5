"""The views, and ``reconcile``, in a real PostgreSQL."""
