"""The pure core: no network, no clock, no SDK. The current time is always an argument, ``now``."""
