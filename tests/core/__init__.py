"""Tests of the rules: no network, no clock."""
