"""Writes Singer messages: never half of one, and the rows of a page at once."""

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


class MessageWriter(MsgSpecWriter):
    """Writes messages to standard output.

    It flushes after every message except RECORD: a target acts on STATE and SCHEMA, not on a single row.
    """

    def __init__(self) -> None:
        super().__init__()
        self.termination = Termination()

    @override
    def write_message(self, message: Message) -> None:
        with self.termination.deferred():
            sys.stdout.buffer.write(self.format_message(message))
            if message.type != "RECORD":
                sys.stdout.buffer.flush()

    def write_rows(self, stream: str, rows: Sequence[Row | PlainRow], time_extracted: str) -> None:
        """Write rows as RECORD messages, byte for byte as the SDK would write them one by one.

        All rows are encoded in one call, without a message object for each.

        Args:
            stream: Name of the stream.
            rows: At least one.
            time_extracted: When they were read, in ISO 8601.
        """
        head = b'{"type":"RECORD","stream":%b,"record":' % _ENCODER.encode(stream)
        tail = b',"time_extracted":%b}' % _ENCODER.encode(time_extracted)
        # Line breaks only separate rows here: inside JSON they are escaped.
        lines = _ENCODER.encode_lines(rows)[:-1].replace(b"\n", tail + b"\n" + head)
        with self.termination.deferred():
            sys.stdout.buffer.writelines((head, lines, tail, b"\n"))
