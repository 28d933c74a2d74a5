"""Writing Singer messages: whole, however the run ends, and a page of rows at a time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter
from typing_extensions import override

from tap_genesys_aggregates.singer.termination import Termination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.singerlib.encoding.simple import Message

    from tap_genesys_aggregates.core.rows import PlainRow, Row

_ENCODER = msgspec.json.Encoder()


class Writer(MsgSpecWriter):
    """Writes messages to standard output; flushes where a target may want to act, not at every row."""

    def __init__(self) -> None:
        """Begin with nobody asking for the end."""
        super().__init__()
        self.termination = Termination()

    @override
    def write_message(self, message: Message) -> None:
        with self.termination.message():
            sys.stdout.buffer.write(self.format_message(message))
            if message.type != "RECORD":
                sys.stdout.buffer.flush()

    def write_rows(self, stream: str, rows: Sequence[Row | PlainRow], time_extracted: str) -> None:
        """Write rows as RECORD messages, the same as the SDK would write them one by one.

        Args:
            stream: The stream's name.
            rows: What each message holds; one at the least.
            time_extracted: When they were read.
        """
        head = b'{"type":"RECORD","stream":%b,"record":' % _ENCODER.encode(stream)
        tail = b',"time_extracted":%b}' % _ENCODER.encode(time_extracted)
        lines = _ENCODER.encode_lines(rows)[:-1].replace(b"\n", tail + b"\n" + head)  # JSON has no bare \n
        with self.termination.message():
            sys.stdout.buffer.writelines((head, lines, tail, b"\n"))
