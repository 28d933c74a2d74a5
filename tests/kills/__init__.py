"""The real pipeline, when it is killed or loses its database, disk space or host."""
