"""The examples of docs/many-organizations.md run, as far as they need no Delta."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline.running import HOST, multiset
from tests.project.generated_settings import ROOT
from tests.spark.organizations import organizations, rows
from tests.spark.reading import as_singer, rows_of_tap

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.running import Row

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "many-organizations.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_writes_a_month_and_reads_it_back(spark: Any, tmp_path: Path) -> None:
    (example,) = [each for each in EXAMPLES if "delta" not in each]
    with organizations() as served:
        # The example names clients of Genesys Cloud; here they are those of the sandboxes.
        entries = json.dumps([{**each.entry, "api": "results"} for each in served])
        ours = f"\noptions |= {{'organizations': {entries!r}}}\nfebruary ="
        names: dict[str, Any] = {"spark": spark, "lake": str(tmp_path)}
        exec(example.replace("\nfebruary =", ours), names)  # noqa: S102  # it is ours
        found = [
            {name: value for name, value in row.items() if name != "month"} for row in rows(names["rows"])
        ]
        given = {name: value for name, value in names["options"].items() if name != "organizations"}
        expected: list[Row] = []
        for each in served:
            settings = {**given, **each.client, "base_url": HOST, "api": "results"}
            expected += rows_of_tap(each.sandbox, "queue_performance", settings)
        assert len(expected) > 100
        assert multiset(found) == multiset(
            [{name: as_singer(value) for name, value in row.items()} for row in expected]
        )
