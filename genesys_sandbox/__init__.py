"""A small Genesys to try against: both contracts, from facts of its own.

It imports nothing of the tap, so that it is a witness and not a mirror of the tap's mistakes; it only
reads the contract's data file. `python -m genesys_sandbox` serves one.
"""

from genesys_sandbox.caller import Caller
from genesys_sandbox.faults import Fault, Rule, Rules
from genesys_sandbox.front import LogEntry, Sandbox
from genesys_sandbox.instants import SettableClock
from genesys_sandbox.messages import Answer, Request, Transport
from genesys_sandbox.options import Options
from genesys_sandbox.server import serve
from genesys_sandbox.witness import Witness

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
