"""Runs the DAG once, in the environment of Airflow, without a scheduler; writes what came of it as JSON.

The database of ``AIRFLOW_HOME`` is created if it is new. Usage: ``python driver.py OUTCOME``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils import db
from airflow.utils.session import create_session
from sqlalchemy import select


def main(outcome: Path) -> None:
    db.initdb()
    folder = Path(__file__).parents[2] / "orchestrate" / "dags"
    bag = BundleDagBag(dag_folder=str(folder), bundle_path=folder, bundle_name="dags-folder")
    found: dict[str, Any] = {"errors": bag.import_errors, "dags": sorted(bag.dags)}
    if not bag.import_errors:
        run = bag.dags["genesys"].test()
        found["state"] = str(run.state)
        with create_session() as session:
            tasks = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run.run_id))
            found["tasks"] = [
                [each.task_id, each.rendered_map_index or "", str(each.state), each.try_number]
                for each in tasks
            ]
            rendered = session.scalars(select(RenderedTaskInstanceFields))
            found["rendered"] = [each.rendered_fields for each in rendered]
            found["xcoms"] = [
                [each.task_id, each.key, each.value] for each in session.scalars(select(XComModel))
            ]
    outcome.write_text(json.dumps(found, default=str), encoding="utf-8")


main(Path(sys.argv[1]))
