"""A script in the manner of a tutorial: requests, json, recursion, one list, printed at the end.

``python -m bench.peers.script API URL WINDOWS``
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import requests

from bench.bodies import FIRST_DAY, PATHS, Api, question

if TYPE_CHECKING:
    from collections.abc import Iterator


def results_rows(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of an answer of the results contract."""
    for result in answer["results"]:
        for bucket in result["data"]:
            start, end = bucket["interval"].split("/")
            row = {"interval_start": start, "interval_end": end, **result["group"]}
            for metric in bucket["metrics"]:
                for name, value in metric["stats"].items():
                    row[f"{metric['metric']}_{name}"] = value
            yield row


def tree_rows(nodes: list[dict[str, Any]], ids: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a group tree."""
    for node in nodes:
        if node["groups"]:
            yield from tree_rows(node["groups"], [*ids, node["id"]])
            continue
        start = datetime.fromisoformat(node["id"].replace("Z", "+00:00"))
        end = start + timedelta(minutes=30)
        row = {"interval_start": start.isoformat(), "interval_end": end.isoformat(), "queue_id": ids[0]}
        for name, metric in node["metrics"].items():
            row[name] = metric["value"]
        yield row


def main() -> None:
    """Fetch as many days as the command line says."""
    api, url, windows = cast("Api", sys.argv[1]), sys.argv[2], int(sys.argv[3])
    credentials = {"grant_type": "client_credentials"}
    token = requests.post(f"{url}/oauth/token", data=credentials, auth=("id", "secret"), timeout=60).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    rows: list[dict[str, Any]] = []
    for number in range(windows):
        day = FIRST_DAY + timedelta(days=number)
        body = question(api, str(day), str(day + timedelta(days=1)))
        answer = requests.post(f"{url}{PATHS[api]}", json=body, headers=headers, timeout=60).json()
        rows.extend(results_rows(answer) if api == "results" else tree_rows(answer["entities"], []))
    for row in rows:
        print(json.dumps(row))  # noqa: T201  # as a tutorial has it


if __name__ == "__main__":
    main()
