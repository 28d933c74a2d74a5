"""What the tap is compared with. Each is run as a process of its own: ``python -m bench.peers.NAME``."""
