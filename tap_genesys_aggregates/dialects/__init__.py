"""The wire formats, and nothing else: two contracts behind one small protocol."""
