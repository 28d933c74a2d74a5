"""Simulated scenarios: random queries, platforms, faults and kills, from one seed each."""
