"""The tap, with a thread beside it that looks where it is.

``python -m bench.sampled OUTPUT ARGUMENTS`` runs the tap with its arguments and writes to OUTPUT how many
seconds of processor time each function took. Nothing is hooked into the tap, so it runs as fast as it does:
every millisecond a thread reads the stack of the main thread, and gives what the process spent since the
last look to the function at its top. What a function calls in C is its own.
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
_SWITCH = 0.0001
"""Seconds after which a thread that computes lets another look; Python's default is fifty times as long."""


class Looks(threading.Thread):
    """What was seen.

    Attributes:
        own: Seconds of each function, by ``file:function``, without those that it calls.
        whole: Seconds of each function with those that it calls.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own: defaultdict[str, float] = defaultdict(float)
        self.whole: defaultdict[str, float] = defaultdict(float)
        self._main = threading.main_thread().ident
        self._enough = threading.Event()

    @override
    def run(self) -> None:
        before = time.process_time()
        while not self._enough.wait(_PAUSE):
            now = time.process_time()
            self._note(sys._current_frames().get(self._main or 0), now - before)  # noqa: SLF001  # the documented way
            before = now

    def stop(self) -> None:
        """Look no more."""
        self._enough.set()
        self.join()

    def _note(self, frame: FrameType | None, seconds: float) -> None:
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
    """The last two parts of the file, and the function, with its class where Python tells it."""
    function = getattr(code, "co_qualname", code.co_name)
    return f"{'/'.join(Path(code.co_filename).parts[-2:])}:{function}"


def main() -> None:
    """Run the tap and write what was seen."""
    output, *arguments = sys.argv[1:]
    sys.setswitchinterval(_SWITCH)
    looks = Looks()
    looks.start()
    try:
        TapGenesysAggregates.cli(arguments, standalone_mode=False)
    finally:
        looks.stop()
        seen = {"own": looks.own, "whole": looks.whole}
        Path(output).write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main()
