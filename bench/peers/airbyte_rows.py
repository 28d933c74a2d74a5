"""The custom component of the Airbyte peer: an answer's rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airbyte_cdk.sources.declarative.extractors.record_extractor import RecordExtractor
from typing_extensions import override

from bench.asking import Api  # noqa: TC001  # the CDK reads the annotation
from bench.peers.plain_rows import LISTS, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests


@dataclass
class Rows(RecordExtractor):  # type: ignore[misc]  # the CDK is not there when types are checked
    """Makes rows of a response.

    Attributes:
        api: The contract.
    """

    api: Api

    @override
    def extract_records(self, response: requests.Response) -> Iterable[Mapping[str, Any]]:
        for element in response.json()[LISTS[self.api]]:
            yield from ROWS[self.api](element)
