"""The bare limit: decode each response and encode its rows, with nothing in between.

``python -m bench.peers.limit API GROUPS WINDOWS LINES``. LINES is a file with the tap's messages for one
window. Its rows are encoded once for every window, so the output is the same as the tap's.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import cast

import msgspec

from bench.query import FIRST_DAY, Api, request_body
from bench.responses import Responses


class _LimitMetric(msgspec.Struct, gc=False):
    metric: str
    stats: dict[str, int | float | None]


class _LimitBucket(msgspec.Struct, gc=False):
    interval: str
    metrics: list[_LimitMetric]


class _LimitResult(msgspec.Struct, gc=False):
    group: dict[str, str]
    data: list[_LimitBucket]


class _LimitResponse(msgspec.Struct, gc=False):
    results: list[_LimitResult]


class _LimitNode(msgspec.Struct, gc=False):
    id: str
    metrics: dict[str, dict[str, int | float | None]]
    groups: list[_LimitNode] = []


class _LimitTree(msgspec.Struct, gc=False):
    entities: list[_LimitNode]


def main() -> None:
    """Decode and encode the number of windows given on the command line."""
    api, groups, windows, lines = sys.argv[1:]
    messages = [msgspec.json.decode(line) for line in Path(lines).read_bytes().splitlines()]
    rows = [message for message in messages if message["type"] == "RECORD" and message["stream"] == "rows"]
    following = FIRST_DAY + timedelta(days=1)
    request = msgspec.json.encode(request_body(cast("Api", api), str(FIRST_DAY), str(following)))
    body = Responses.encode(cast("Api", api), int(groups)).for_request(request)
    decoder = msgspec.json.Decoder(_LimitResponse if api == "results" else _LimitTree)
    encoder = msgspec.json.Encoder()
    for _ in range(int(windows)):
        decoder.decode(body)
        sys.stdout.buffer.write(encoder.encode_lines(rows))


if __name__ == "__main__":
    main()
