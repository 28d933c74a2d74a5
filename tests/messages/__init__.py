"""What the tap says of wrong files, wrong values and network faults: the cases of ``docs/messages.md``."""
