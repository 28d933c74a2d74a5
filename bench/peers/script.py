"""A tutorial-style script: httpx, json, recursion, and a list that is printed at the end.

``python -m bench.peers.script API URL WINDOWS``
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any, cast

import httpx

from bench.peers.plain_rows import LISTS, ROWS
from bench.query import FIRST_DAY, PATHS, Api, request_body


def main() -> None:
    """Fetch the days given on the command line."""
    api, url, windows = cast("Api", sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rows: list[dict[str, Any]] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        credentials = {"grant_type": "client_credentials"}
        token = client.post("/oauth/token", data=credentials, auth=("id", "secret")).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        for number in range(windows):
            day = FIRST_DAY + timedelta(days=number)
            body = request_body(api, str(day), str(day + timedelta(days=1)))
            response = client.post(PATHS[api], json=body, headers=headers).json()
            for element in response[LISTS[api]]:
                rows.extend(ROWS[api](element))
    for row in rows:
        print(json.dumps(row))  # noqa: T201  # as in a tutorial


if __name__ == "__main__":
    main()
