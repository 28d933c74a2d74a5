"""Seeded lives of the tap: a random platform, bad days, killed runs, and at the end the truth."""
