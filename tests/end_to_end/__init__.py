"""Tests of the tap as users run it: as a process, over real sockets, with Meltano and PostgreSQL."""
