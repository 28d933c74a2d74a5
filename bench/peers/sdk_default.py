"""A tap built like the SDK's template: RESTStream, JSONPath, the default parser and writer.

``python -m bench.peers.sdk_default --config FILE``; the config has ``api``, ``base_url`` and ``windows``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import OAuthAuthenticator
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.pagination import BasePageNumberPaginator
from singer_sdk.streams import RESTStream
from typing_extensions import override

from bench.peers.plain_rows import NUMBERS, added_columns, rows_of_result
from bench.query import FIRST_DAY, PATHS, request_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import requests
    from singer_sdk.helpers.types import Context

_ADDED = (th.Property("extracted_at", th.DateTimeType), th.Property("is_final", th.BooleanType))


class SdkAuthenticator(OAuthAuthenticator):
    @property
    @override
    def oauth_request_body(self) -> dict[str, Any]:
        return {"grant_type": "client_credentials", "client_id": "id", "client_secret": "made-up"}


class DayPaginator(BasePageNumberPaginator):
    """Treats each day as a page."""

    def __init__(self, days: int) -> None:
        super().__init__(0)
        self._days = days

    @override
    def has_more(self, response: requests.Response) -> bool:
        return self.current_value + 1 < self._days


class SdkRows(RESTStream[int]):
    """What the streams of both APIs share."""

    name = "rows"
    http_method = "POST"

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["base_url"])

    @property
    @override
    def authenticator(self) -> SdkAuthenticator:
        return SdkAuthenticator(client_id="id", auth_endpoint=f"{self.url_base}/oauth/token", oauth_scopes="")

    @override
    def get_new_paginator(self) -> DayPaginator:
        return DayPaginator(self.config["windows"])

    @override
    def prepare_request_payload(self, context: Context | None, next_page_token: int | None) -> dict[str, Any]:
        day = FIRST_DAY + timedelta(days=next_page_token or 0)
        return request_body(self.config["api"], str(day), str(day + timedelta(days=1)))


class SdkResultsRows(SdkRows):
    path = PATHS["results"]
    records_jsonpath = "$.results[*]"
    primary_keys = ("interval_start", "queueId", "mediaType")
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("interval_start", th.DateTimeType, required=True),
        th.Property("interval_end", th.DateTimeType),
        th.Property("queueId", th.StringType, required=True),
        th.Property("mediaType", th.StringType, required=True),
        *_ADDED,
        *(th.Property(name, th.NumberType) for name in NUMBERS["results"]),
    ).to_dict()

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        for result in super().parse_response(response):
            yield from rows_of_result(result)


class SdkGroupTreeRows(SdkRows):
    path = PATHS["group_tree"]
    records_jsonpath = "$.entities[*]"
    primary_keys = ("interval_start", "queue_id")
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("interval_start", th.DateTimeType, required=True),
        th.Property("interval_end", th.DateTimeType),
        th.Property("queue_id", th.StringType, required=True),
        *_ADDED,
        *(th.Property(name, th.NumberType) for name in NUMBERS["group_tree"]),
    ).to_dict()

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        for entity in super().parse_response(response):
            added = added_columns()
            for leaf in extract_jsonpath("$.groups[*]", entity):
                start = datetime.fromisoformat(leaf["id"].replace("Z", "+00:00"))
                row = {"queue_id": entity["id"], "interval_start": leaf["id"]}
                row["interval_end"] = (start + timedelta(minutes=30)).isoformat()
                row.update(added)
                row.update({name: metric["value"] for name, metric in leaf["metrics"].items()})
                yield row


class TapSdkDefault(Tap):
    name = "tap-sdk-default"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("api", th.StringType, required=True),
        th.Property("base_url", th.StringType, required=True),
        th.Property("windows", th.IntegerType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> Sequence[SdkRows]:
        if not self.config["windows"]:
            return []
        return [SdkResultsRows(self) if self.config["api"] == "results" else SdkGroupTreeRows(self)]


if __name__ == "__main__":
    TapSdkDefault.cli()
