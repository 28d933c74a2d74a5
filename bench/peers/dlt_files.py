"""dlt's ``rest_api`` source into files: extract, normalize and load, all three.

``python -m bench.peers.dlt_files API URL WINDOWS FOLDER``: the days are a parent resource whose dates the
request's body takes, ``yield_map`` makes the rows, and the ``filesystem`` destination keeps them as JSON
lines below FOLDER, not compressed, as nobody else's are.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import dlt
from dlt.sources.rest_api import rest_api_source

from bench.asking import FIRST_DAY, PATHS, Api, question
from bench.peers.plain_rows import DIMENSIONS, LISTS, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator


def source(api: Api, url: str, windows: int) -> Any:  # noqa: ANN401  # dlt is not there when types are checked
    """The source, declared as dlt's documentation has it.

    Args:
        api: The contract.
        url: The server.
        windows: How many days.
    """

    @dlt.resource(selected=False)  # type: ignore[untyped-decorator]  # likewise
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
        "json": question(api, "{resources.days.start}", "{resources.days.end}"),
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
    """Load as many days as the command line says."""
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
