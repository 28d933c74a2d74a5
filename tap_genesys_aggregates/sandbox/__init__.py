"""A small Genesys to try against: both contracts, from facts of its own.

It imports nothing of the tap, so that it is a witness and not a mirror of the tap's mistakes; it only
reads the contract's data file. `python -m tap_genesys_aggregates.sandbox` serves one.
"""

from tap_genesys_aggregates.sandbox.caller import Caller
from tap_genesys_aggregates.sandbox.faults import Fault, Rule, Rules
from tap_genesys_aggregates.sandbox.front import LogEntry, Sandbox
from tap_genesys_aggregates.sandbox.instants import SettableClock
from tap_genesys_aggregates.sandbox.messages import Answer, Request, Transport
from tap_genesys_aggregates.sandbox.options import Options
from tap_genesys_aggregates.sandbox.server import serve
from tap_genesys_aggregates.sandbox.witness import Witness

__all__ = [
    "Answer",
    "Caller",
    "Fault",
    "LogEntry",
    "Options",
    "Request",
    "Rule",
    "Rules",
    "Sandbox",
    "SettableClock",
    "Transport",
    "Witness",
    "serve",
]
