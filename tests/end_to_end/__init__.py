"""Tests of the tap as users run it: a process of its own, real sockets, Meltano, Postgres."""
