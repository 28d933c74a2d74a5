"""Whatever bytes come, only errors of our own come out."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from tap_genesys_aggregates.core.errors import TapError
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect
from tests.core.making import examples
from tests.dialects.making import TREE, hour, results, rows, tree, window
from tests.fuzz.mutating import BITS

TREES = (
    {
        "entities": [
            {
                "id": "q1",
                "metrics": {"conversationCount": {"value": 3}},
                "groups": [
                    {
                        "id": hour(0),
                        "metrics": {"conversationCount": {"value": 1}, "handleDurationSum": None},
                        "groups": [],
                    },
                    {"id": hour(1), "metrics": None, "groups": None},
                ],
            },
            {"groups": [{"id": hour(2)}]},
        ],
        "links": {"next": "/x?pageNumber=2"},
    },
    {"entities": [{"id": hour(3), "groups": [{"id": "q1", "groups": [{"id": "voice"}]}]}]},
)
RESULTS = {
    "results": [
        {
            "group": {"queueId": "q\u00e9\n1", "mediaType": None},
            "data": [
                {
                    "interval": f"{hour(0)}/{hour(1)}",
                    "metrics": [
                        {"metric": "tSystemPresence", "qualifier": "AWAY", "stats": {"count": 1, "sum": 2.5}},
                        {"metric": "nOffered", "stats": {"count": 3.0}},
                    ],
                    "views": None,
                },
                {"interval": "2023-11-01T02:00:00+01:00/2023-11-01T03:00:00+01:00"},
            ],
        }
    ]
}
QUERIES = (
    TREE,
    tree(),
    tree("interval"),
    tree("interval", "routing.queue.id", "mediaType"),
    results(implicit_dimensions=("mediaType",)),
    results(implicit_dimensions=("mediaType",), metrics=("nOffered", "tSystemPresence"), qualified=True),
    results(implicit_dimensions=("mediaType",), shape="long", metrics=("nOffered", "tSystemPresence")),
)
SAMPLES = tuple(json.dumps(each).encode() for each in (*TREES, RESULTS))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sample in which some stretches were replaced."""
    body = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.sampled_from([0, 1, 2, 5, 24, 60]))
        body = body[:start] + draw(st.sampled_from(BITS)) + body[end:]
    return body


def read_by_all(body: bytes) -> None:
    """Read by both contracts, as far as rows; refusals are our own."""
    for query in QUERIES:
        with suppress(TapError):
            rows(query, body)
    jobs = JobsDialect(results(jobs_path="/jobs", mode="async"))
    with suppress(TapError):
        jobs.place(jobs.read_submitted(body))
    with suppress(TapError):
        jobs.read_status(body)
    with suppress(TapError):
        list(jobs.read_page(body, window()).leaves)


@given(st.binary(max_size=300))
@examples(60)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No bytes crash a reader."""
    read_by_all(body)


@given(mutated())
@examples(150)
def test_a_mutated_answer_is_read_or_refused(body: bytes) -> None:
    """No spoilt answer crashes a reader, or a row maker behind it."""
    read_by_all(body)


def test_the_samples_are_answers() -> None:
    """What is mutated is read by one contract at least: spoilt nonsense would prove nothing."""
    assert len(rows(TREE, SAMPLES[0])) == 3
    assert len(rows(QUERIES[3], SAMPLES[1])) == 1
    assert [len(rows(query, SAMPLES[2])) for query in QUERIES[5:]] == [3, 2]
