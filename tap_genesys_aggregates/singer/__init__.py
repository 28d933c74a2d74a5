"""Singer messages, how a run ends, and logs without secrets."""
