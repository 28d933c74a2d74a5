"""A small Genesys Cloud for the demo and the tests: both query formats, answered from generated events.

It imports nothing of the tap, so the tests compare the tap with an independent implementation, not with
a copy of its own mistakes. `python -m genesys_sandbox` starts a server. It is not part of the wheel.
"""

from genesys_sandbox.contact_center import LateRewrite
from genesys_sandbox.expected_rows import ExpectedRows
from genesys_sandbox.faults import Fault, Rule, Rules
from genesys_sandbox.http_messages import Delivery, Request, Response
from genesys_sandbox.options import Options
from genesys_sandbox.sandbox import LogEntry, Sandbox, SandboxClient
from genesys_sandbox.server import serve
from genesys_sandbox.timestamps import SettableClock

__all__ = [
    "Delivery",
    "ExpectedRows",
    "Fault",
    "LateRewrite",
    "LogEntry",
    "Options",
    "Request",
    "Response",
    "Rule",
    "Rules",
    "Sandbox",
    "SandboxClient",
    "SettableClock",
    "serve",
]
