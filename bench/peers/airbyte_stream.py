"""An Airbyte CDK source in Python: an ``HttpStream`` with one slice per day, read through the entrypoint.

``python -m bench.peers.airbyte_stream API URL WINDOWS FOLDER``. The stream has neither a cursor nor state, so
it does less work than ``peers/airbyte.py`` and is faster.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.sources.streams.http.requests_native_auth import Oauth2Authenticator
from typing_extensions import override

from bench.peers.airbyte import schema, write_input
from bench.peers.plain_rows import DIMENSIONS, LISTS, ROWS
from bench.query import FIRST_DAY, PATHS, Api, request_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests


class RowStream(HttpStream):  # type: ignore[misc]  # the CDK is not installed where mypy runs
    """The stream.

    Args:
        api: The API.
        url: URL of the server.
        windows: Number of days.
    """

    name = "rows"
    http_method = "POST"
    url_base = ""
    primary_key = None

    def __init__(self, api: Api, url: str, windows: int) -> None:
        authenticator = Oauth2Authenticator(
            token_refresh_endpoint=f"{url}/oauth/token",
            client_id="id",
            client_secret="made-up",  # noqa: S106  # the replay server accepts any
            refresh_token="",
            grant_type="client_credentials",
        )
        self._api: Api = api
        self._windows = windows
        self.url_base = url
        self.primary_key = ["interval_start", *DIMENSIONS[api]]
        super().__init__(authenticator=authenticator)

    @override
    def path(self, **_: Any) -> str:
        return PATHS[self._api]

    @override
    def get_json_schema(self) -> dict[str, Any]:
        return schema(self._api)

    @override
    def next_page_token(self, response: requests.Response) -> None:
        return None

    @override
    def stream_slices(self, **_: Any) -> Iterator[dict[str, str]]:
        for number in range(self._windows):
            day = FIRST_DAY + timedelta(days=number)
            yield {"start": str(day), "end": str(day + timedelta(days=1))}

    @override
    def request_body_json(self, stream_slice: dict[str, str], **_: Any) -> dict[str, Any]:
        return request_body(self._api, stream_slice["start"], stream_slice["end"])

    @override
    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[dict[str, Any]]:
        for element in response.json()[LISTS[self._api]]:
            yield from ROWS[self._api](element)


class RowSource(AbstractSource):  # type: ignore[misc]  # the CDK is not installed where mypy runs
    """A source with one stream."""

    def __init__(self, rows: RowStream) -> None:
        super().__init__()
        self._rows = rows

    @override
    def check_connection(self, *_: Any) -> tuple[bool, None]:
        return True, None

    @override
    def streams(self, config: Any) -> list[RowStream]:
        return [self._rows]

    @override
    def spec(self, *_: Any) -> ConnectorSpecification:
        return ConnectorSpecification(connectionSpecification={})


def main() -> None:
    """Read the days given on the command line."""
    api, url, windows, folder = cast("Api", sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    _, arguments = write_input(api, windows, folder, "full_refresh")
    launch(RowSource(RowStream(api, url, windows)), arguments)


if __name__ == "__main__":
    main()
