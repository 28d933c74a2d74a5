"""Tests of the rooms between the core and the outside: settings, errors, token, pace, requests."""
