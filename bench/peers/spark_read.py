"""Reads the tap's query through the Spark data source, and writes it.

``python -m bench.peers.spark_read CONFIG ORGANIZATIONS AT_ONCE TARGET``, in the environment of Spark. TARGET
is ``noop`` or a folder for Parquet files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.spark.sessions import session


def main() -> None:
    """Read as many organizations as the command line says, all with the same config."""
    config = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    organizations, at_once, target = int(sys.argv[2]), sys.argv[3], sys.argv[4]
    options = {name: value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}
    if organizations > 1:
        entries = [
            {"organization": f"organization-{number}", "client_id": f"client-{number}"}
            for number in range(organizations)
        ]
        options["organizations"] = json.dumps(entries)
    with session(f"local[{at_once}]") as spark:
        frame = spark.read.format("genesys_aggregates").options(**options).load("rows")
        writer = frame.write.mode("overwrite")
        if target == "noop":
            writer.format("noop").save()
        else:
            writer.parquet(target)


if __name__ == "__main__":
    main()
