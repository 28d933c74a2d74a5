"""The tap whole, in one process: the sandbox behind an adapter, time brought along."""
