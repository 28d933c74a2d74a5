"""What the tap is compared with. Each runs in a process of its own: ``python -m bench.peers.NAME``."""
