"""Tests of the project itself: its files, its shape, its commands."""
