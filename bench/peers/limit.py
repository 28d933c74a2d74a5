"""The bare limit: decode the bytes of each answer, encode its rows, and nothing between.

``python -m bench.peers.limit API GROUPS WINDOWS LINES``, where LINES is a file with the messages that the tap
wrote for one window: its rows are encoded again for every window, into the same lines.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec

from bench.asking import FIRST_DAY, Api, question
from bench.bodies import Bodies


class _Metric(msgspec.Struct, gc=False):
    metric: str
    stats: dict[str, int | float | None]


class _Bucket(msgspec.Struct, gc=False):
    interval: str
    metrics: list[_Metric]


class _Result(msgspec.Struct, gc=False):
    group: dict[str, str]
    data: list[_Bucket]


class _Results(msgspec.Struct, gc=False):
    results: list[_Result]


class _Node(msgspec.Struct, gc=False):
    id: str
    metrics: dict[str, dict[str, int | float | None]]
    groups: list[_Node] = []


class _Tree(msgspec.Struct, gc=False):
    entities: list[_Node]


def main() -> None:
    """Decode and encode as many windows as the command line says."""
    api, groups, windows, lines = sys.argv[1:]
    messages = [msgspec.json.decode(line) for line in Path(lines).read_bytes().splitlines()]
    rows = [message for message in messages if message["type"] == "RECORD" and message["stream"] == "rows"]
    following = FIRST_DAY + timedelta(days=1)
    asked = msgspec.json.encode(question(cast("Api", api), str(FIRST_DAY), str(following)))
    body = Bodies.of(cast("Api", api), int(groups)).answer(asked)
    decoder = msgspec.json.Decoder(_Results if api == "results" else _Tree)
    encoder = msgspec.json.Encoder()
    for _ in range(int(windows)):
        decoder.decode(body)
        sys.stdout.buffer.write(encoder.encode_lines(rows))


if __name__ == "__main__":
    main()
