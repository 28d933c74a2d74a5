"""What a command line changes in its process: logs, hooks, and the secrets that are masked."""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import TYPE_CHECKING
from unittest.mock import patch

from tap_genesys_aggregates.core import redaction

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def own_log() -> Iterator[None]:
    """Give the logs, the hooks and the secrets back after the block."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    with ExitStack() as stack:
        stack.enter_context(patch.object(logging.Logger, "callHandlers", logging.Logger.callHandlers))
        for module in (sys, threading):
            stack.enter_context(patch.object(module, "excepthook", module.excepthook))
        for name in ("_lasting", "_tokens", "_known"):
            stack.enter_context(patch.object(redaction, name, copy(getattr(redaction, name))))
        try:
            yield
        finally:
            logging.captureWarnings(capture=False)
            root.setLevel(level)
            root.handlers[:] = handlers
