"""An Airbyte CDK source: a declarative stream with a daily cursor, read through the CDK's entrypoint.

``python -m bench.peers.airbyte API URL WINDOWS FOLDER`` writes config and catalog into FOLDER, as Airbyte
would, and RECORD messages to standard output.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from bench.peers.plain_rows import DIMENSIONS, NUMBERS
from bench.query import FIRST_DAY, PATHS, Api, request_body

_START = "{{ stream_interval.start_time }}"
_END = "{{ format_datetime(str_to_datetime(stream_interval.end_time) + duration('P1D'), '%Y-%m-%d') }}"
_TEXT = {"type": ["string", "null"]}
_NUMBER = {"type": ["number", "null"]}


def schema(api: Api) -> dict[str, Any]:
    instant = {"type": ["string", "null"], "format": "date-time"}
    columns: dict[str, Any] = dict.fromkeys(("interval_start", "interval_end", "extracted_at"), instant)
    columns |= {"is_final": {"type": ["boolean", "null"]}, **dict.fromkeys(DIMENSIONS[api], _TEXT)}
    columns |= dict.fromkeys(NUMBERS[api], _NUMBER)
    return {"type": "object", "properties": columns}


def manifest(api: Api, url: str, windows: int) -> dict[str, Any]:
    """Return the declarative source, written as in Airbyte's documentation.

    Args:
        api: The API.
        url: URL of the server.
        windows: Number of days.
    """
    requester = {
        "type": "HttpRequester",
        "url_base": url,
        "path": PATHS[api],
        "http_method": "POST",
        "request_body_json": request_body(api, _START, _END),
        "authenticator": {
            "type": "OAuthAuthenticator",
            "token_refresh_endpoint": f"{url}/oauth/token",
            "grant_type": "client_credentials",
            "client_id": "id",
            "client_secret": "made-up",
        },
    }
    extractor = {
        "type": "CustomRecordExtractor",
        "class_name": "bench.peers.airbyte_rows.RowExtractor",
        "api": api,
    }
    stream = {
        "type": "DeclarativeStream",
        "name": "rows",
        "primary_key": ["interval_start", *DIMENSIONS[api]],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": schema(api)},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": requester,
            "record_selector": {"type": "RecordSelector", "extractor": extractor},
        },
        "incremental_sync": _cursor(windows),
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["rows"]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def _cursor(windows: int) -> dict[str, Any]:
    """Return a cursor with one slice per day."""
    return {
        "type": "DatetimeBasedCursor",
        "cursor_field": "interval_start",
        "cursor_datetime_formats": ["%Y-%m-%dT%H:%M:%S.%fZ"],
        "datetime_format": "%Y-%m-%d",
        "start_datetime": f"{FIRST_DAY}",
        "end_datetime": f"{FIRST_DAY + timedelta(days=max(windows, 1) - 1)}",
        "step": "P1D",
        "cursor_granularity": "P1D",
    }


def write_input(api: Api, windows: int, folder: Path, mode: str) -> tuple[dict[str, Any], list[str]]:
    """Write the files that Airbyte would pass to a source.

    Args:
        api: The API.
        windows: Number of days; with 0, the catalog has no stream.
        folder: Where to write the files.
        mode: The sync mode: ``incremental`` or ``full_refresh``.

    Returns:
        The catalog, and the command-line arguments that read it.
    """
    offered = {"name": "rows", "json_schema": schema(api), "supported_sync_modes": [mode]}
    stream = {"stream": offered, "sync_mode": mode, "destination_sync_mode": "append"}
    catalog = {"streams": [stream] if windows else []}
    files = {"config": folder / "config.json", "catalog": folder / "catalog.json"}
    files["config"].write_text("{}", encoding="utf-8")
    files["catalog"].write_text(json.dumps(catalog), encoding="utf-8")
    return catalog, ["read", "--config", str(files["config"]), "--catalog", str(files["catalog"])]


def main() -> None:
    """Read the days given on the command line."""
    api, url, windows, folder = cast("Api", sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
    catalog, arguments = write_input(api, windows, folder, "incremental")
    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(catalog),
        config={},
        source_config=manifest(api, url, windows),
    )
    launch(source, arguments)


if __name__ == "__main__":
    main()
