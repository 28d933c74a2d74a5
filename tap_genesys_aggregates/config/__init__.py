"""The config: read into frozen ``Settings`` and ``Query`` objects, or refused with a message."""
