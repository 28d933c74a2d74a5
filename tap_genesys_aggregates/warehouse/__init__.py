"""SQL views, ``reconcile``, and the command for both."""
