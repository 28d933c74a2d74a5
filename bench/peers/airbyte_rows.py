"""The custom component of the declarative Airbyte source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airbyte_cdk.sources.declarative.extractors.record_extractor import RecordExtractor
from typing_extensions import override

from bench.peers.plain_rows import LISTS, ROWS
from bench.query import Api  # noqa: TC001  # the CDK reads the annotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests


@dataclass
class RowExtractor(RecordExtractor):  # type: ignore[misc]  # the CDK is not installed where mypy runs
    """Turns a response into rows.

    Attributes:
        api: The API.
    """

    api: Api

    @override
    def extract_records(self, response: requests.Response) -> Iterable[Mapping[str, Any]]:
        for element in response.json()[LISTS[self.api]]:
            yield from ROWS[self.api](element)
