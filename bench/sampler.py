"""Runs the tap with a sampling profiler in a thread beside it.

``python -m bench.sampler OUTPUT ARGUMENTS`` runs the tap with ARGUMENTS and writes to OUTPUT how many seconds
of CPU time each function took. The tap's code is not instrumented, so it runs at its normal speed: every
millisecond, a thread reads the stack of the main thread and assigns the CPU time since the last sample to the
function at the top. Calls into C count for the Python function that makes them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_genesys_aggregates.tap import TapGenesysAggregates

if TYPE_CHECKING:
    from types import CodeType, FrameType

_PAUSE = 0.001
_SWITCH_INTERVAL = 0.0001
"""Seconds until a busy thread yields to another. Python's default, 5 ms, is too long to sample every 1 ms."""


class Sampler(threading.Thread):
    """Samples the main thread.

    Attributes:
        own: Function as ``file:function`` → seconds, without the functions that it calls.
        whole: Function → seconds, including the functions that it calls.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own: defaultdict[str, float] = defaultdict(float)
        self.whole: defaultdict[str, float] = defaultdict(float)
        self._main = threading.main_thread().ident
        self._stopped = threading.Event()

    @override
    def run(self) -> None:
        before = time.process_time()
        while not self._stopped.wait(_PAUSE):
            now = time.process_time()
            self._record(sys._current_frames().get(self._main or 0), now - before)  # noqa: SLF001  # the documented way
            before = now

    def stop(self) -> None:
        """Stop sampling."""
        self._stopped.set()
        self.join()

    def _record(self, frame: FrameType | None, seconds: float) -> None:
        stack = []
        while frame is not None:
            stack.append(_name(frame.f_code))
            frame = frame.f_back
        if stack:
            self.own[stack[0]] += seconds
        for name in set(stack):
            self.whole[name] += seconds


@cache
def _name(code: CodeType) -> str:
    """Return the last two parts of the path and the function, with its class on Python 3.11 and later."""
    function = getattr(code, "co_qualname", code.co_name)
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{function}"


def main() -> None:
    """Run the tap and write the profile."""
    output, *arguments = sys.argv[1:]
    sys.setswitchinterval(_SWITCH_INTERVAL)
    sampler = Sampler()
    sampler.start()
    try:
        TapGenesysAggregates.cli(arguments, standalone_mode=False)
    finally:
        sampler.stop()
        profile = {"own": sampler.own, "whole": sampler.whole}
        Path(output).write_text(json.dumps(profile), encoding="utf-8")


if __name__ == "__main__":
    main()
