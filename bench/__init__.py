"""Measurements: how fast, how lean and how polite the tap is, each beside something to compare it with."""
