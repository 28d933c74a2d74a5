"""What is said of jobs, and what is made of the answers."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tap_genesys_aggregates.core.errors import UnreadableError
from tap_genesys_aggregates.core.windows import Window
from tap_genesys_aggregates.dialects.protocol import Call
from tap_genesys_aggregates.dialects.results_jobs import JobsDialect, Status, Submitted
from tests.core.making import query
from tests.jobs.scene import JOBS

DIALECT = JobsDialect(query(mode="async", jobs_path=JOBS))
WINDOW = Window(datetime(2026, 3, 2, tzinfo=timezone.utc), datetime(2026, 3, 3, tzinfo=timezone.utc))


def test_calls_of_a_job() -> None:
    """A job is looked at, read and cancelled at its own path; a cursor is a parameter."""
    place = DIALECT.place(Submitted("one"))
    assert DIALECT.look(place) == Call("GET", f"{JOBS}/one")
    assert DIALECT.results(place, None) == Call("GET", f"{JOBS}/one/results")
    assert DIALECT.results(place, "a/b=") == Call("GET", f"{JOBS}/one/results", params={"cursor": "a/b="})
    assert DIALECT.cancel(place) == Call("DELETE", f"{JOBS}/one")


def test_users_are_named_in_a_job_too() -> None:
    """Where users must be named, a job's filter names them, as a plain request's does."""
    body = DIALECT.submit(WINDOW, ("agent",)).body or {}
    assert str(body["filter"]).count("'agent'") == 1


def test_an_id_is_quoted() -> None:
    """What means something in a URL means nothing in an id."""
    assert DIALECT.place(Submitted("a b?c#d%2F;é")) == f"{JOBS}/a%20b%3Fc%23d%252F%3B%C3%A9"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "a..b", "a\nb", "a\0", "a\u202e", "x" * 201]
)
def test_an_id_that_could_lead_astray_is_refused(name: str) -> None:
    """An id without a letter, with a path, a control character or of great length is none."""
    with pytest.raises(UnreadableError):
        DIALECT.place(Submitted(name))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"jobId":null}', b'{"jobId":7}', b'{"jobId":"x"', b"\xff"]
)
def test_an_answer_without_an_id_is_unreadable(body: bytes) -> None:
    """What was handed in must have a name."""
    with pytest.raises(UnreadableError):
        DIALECT.read_submitted(body)


def test_a_status_is_a_state_and_perhaps_a_reason() -> None:
    """Dates and fields of later versions are passed over."""
    body = b'{"state":"FAILED","errorMessage":"No","expirationDate":"2026-03-09T00:00:00Z","more":[1]}'
    assert DIALECT.read_status(body) == Status("FAILED", "No")
    assert DIALECT.read_status(b'{"state":"QUEUED","errorMessage":null}') == Status("QUEUED")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"state":null}', b"null", b'{"state":"DONE","errorMessage":[]}']
)
def test_a_status_without_a_state_is_unreadable(body: bytes) -> None:
    """A job that says nothing of itself is not taken for one that waits."""
    with pytest.raises(UnreadableError):
        DIALECT.read_status(body)


@pytest.mark.parametrize(
    ("end", "cursor"),
    [(b"}", None), (b',"cursor":null}', None), (b',"cursor":""}', None), (b',"cursor":"x"}', "x")],
)
def test_the_last_page_has_no_cursor(end: bytes, cursor: str | None) -> None:
    """Absent, null and empty are no cursor; results may be missing, and more may follow all the same."""
    page = DIALECT.read_page(b'{"results":null' + end, WINDOW)
    assert (list(page.leaves), page.next) == ([], cursor)


@pytest.mark.parametrize("body", [b'{"cursor":7}', b'{"code":"x","message":"no"}', b'{"results":'])
def test_a_page_that_is_none_is_unreadable(body: bytes) -> None:
    """An error in place of results, or a cursor that is no text, is no page."""
    with pytest.raises(UnreadableError):
        DIALECT.read_page(body, WINDOW)
