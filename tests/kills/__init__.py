"""The real pipeline killed, its database stopped, its disk full, its host gone: the next run mends it."""
