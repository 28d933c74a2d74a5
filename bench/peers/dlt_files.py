"""dlt's ``rest_api`` source, loading into files with all three steps: extract, normalize and load.

``python -m bench.peers.dlt_files API URL WINDOWS FOLDER``. The days are a parent resource whose dates are put
into the body of each request, and ``yield_map`` makes the rows. The ``filesystem`` destination writes them
into FOLDER as JSON lines, uncompressed like the output of the other peers.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import dlt
from dlt.sources.rest_api import rest_api_source

from bench.peers.plain_rows import DIMENSIONS, LISTS, ROWS
from bench.query import FIRST_DAY, PATHS, Api, request_body

if TYPE_CHECKING:
    from collections.abc import Iterator


def source(api: Api, url: str, windows: int) -> Any:  # noqa: ANN401  # dlt is not installed where mypy runs
    """Return the declarative source, written as in dlt's documentation.

    Args:
        api: The API.
        url: URL of the server.
        windows: Number of days.
    """

    @dlt.resource(selected=False)  # type: ignore[untyped-decorator]  # dlt is not installed where mypy runs
    def days() -> Iterator[list[dict[str, str]]]:
        dates = [str(FIRST_DAY + timedelta(days=number)) for number in range(windows + 1)]
        yield [{"start": start, "end": end} for start, end in pairwise(dates)]

    auth = {
        "type": "oauth2_client_credentials",
        "access_token_url": f"{url}/oauth/token",
        "client_id": "id",
        "client_secret": "made-up",
    }
    endpoint = {
        "path": PATHS[api],
        "method": "POST",
        "json": request_body(api, "{resources.days.start}", "{resources.days.end}"),
        "data_selector": LISTS[api],
        "paginator": "single_page",
    }
    rows = {
        "name": "rows",
        "primary_key": ["interval_start", *DIMENSIONS[api]],
        "endpoint": endpoint,
        "processing_steps": [{"yield_map": ROWS[api]}],
    }
    return rest_api_source({"client": {"base_url": url, "auth": auth}, "resources": [days(), rows]})


def main() -> None:
    """Load the days given on the command line."""
    api, url, windows, folder = cast("Api", sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=f"{folder}/pipelines",
        destination=dlt.destinations.filesystem(f"{folder}/files"),
        dataset_name="bench",
    )
    pipeline.run(source(api, url, windows), loader_file_format="jsonl").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
