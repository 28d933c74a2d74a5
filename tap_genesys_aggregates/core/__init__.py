"""The rules, and nothing else: no network, no clock, no SDK. ``now`` is an argument."""
