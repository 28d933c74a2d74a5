"""The error for a response: its class, its message, and how long to wait."""

from __future__ import annotations

import email.utils
import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from tap_genesys_aggregates.core.errors import TapError, UnreadableError
from tap_genesys_aggregates.http.errors import (
    MAX_RETRY_AFTER,
    BadRequestError,
    DeniedError,
    NotFoundError,
    OtherHostError,
    RefusedError,
    SlowError,
    TokenRefusedError,
    TooLargeError,
    TransientError,
    error_for_response,
    retry_after,
)
from tests.core.making import examples
from tests.http.fake_server import UTC

NOW = datetime(2023, 11, 20, 10, 0, 0, 500_000, tzinfo=UTC)


def error(status: int, body: object = b"", **headers: str) -> TapError:
    sent = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_for_response(status, sent, raw, host="api.example.com", now=NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, OtherHostError) for status in (300, 301, 302, 303, 304, 307, 308, 399)),
        *((status, RefusedError) for status in (100, 402, 405, 409, 410, 415, 422, 499)),
        *((status, UnreadableError) for status in (201, 202, 204, 206, 226)),
        (400, BadRequestError),
        *((status, TransientError) for status in (408, 429, 500, 501, 502, 503, 599)),
        (401, TokenRefusedError),
        (403, DeniedError),
        (404, NotFoundError),
        (413, TooLargeError),
        (504, SlowError),
    ],
)
def test_the_status_decides_the_class(status: int, kind: type[TapError]) -> None:
    """The class says what can be done: wait, ask for less, renew the token, or stop."""
    found = error(status)
    assert type(found) is kind
    assert f"api.example.com answered {status}" in str(found)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "Check the query's names and dates"),
        (401, "client_secret"),
        (403, "role with the missing permission"),
        (404, "base_url"),
        (429, "page_size"),
        (302, "would receive the token"),
        (503, "correlation id"),
    ],
)
def test_an_error_says_what_to_do(status: int, advice: str) -> None:
    """It names the setting, the permission or the next step."""
    assert advice in str(error(status))


@pytest.mark.parametrize(("status", "throttled"), [(429, True), (503, False), (504, False), (408, False)])
def test_only_a_429_is_throttling(status: int, *, throttled: bool) -> None:
    """It pauses all requests; other failures delay only their own."""
    found = error(status)
    assert isinstance(found, TransientError)
    assert found.throttled is throttled


@pytest.mark.parametrize(
    "body",
    [
        {"message": "The result set is larger than result limit"},
        {"message": "Query exceeds the limit of 30000 results", "code": "bad.request"},
        b"LIMIT OF 30000 RESULTS",
        {"errors": [{"details": "limit of 100000 results was reached"}]},
    ],
)
@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_result_that_is_too_large_is_recognized_by_its_text(status: int, body: object) -> None:
    """Neither its status nor its code is documented."""
    assert type(error(status, body)) is TooLargeError


def test_other_limits_are_not_taken_for_a_result_that_is_too_large() -> None:
    assert (
        type(error(429, {"message": "Rate limit exceeded the maximum. Retry the request in [7] seconds"}))
        is TransientError
    )
    assert type(error(400, {"message": "limit must be 30000 or less"})) is BadRequestError


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (
            {"message": "No such metric: nOfferd", "code": "bad.request", "status": 400},
            "bad.request: No such metric: nOfferd",
        ),
        ({"error": "invalid_client", "description": "client not found"}, "invalid_client: client not found"),
        (
            {"error": "invalid_client", "error_description": "no such client"},
            "invalid_client: no such client",
        ),
        ({"message": "two\nlines\x1b[31m"}, "two lines"),
        ({"message": None, "code": None}, ""),
        ({"message": {"deep": "s3cr3t"}, "code": 7}, ""),
    ],
)
def test_the_server_is_quoted(body: object, quoted: str) -> None:
    """Its code and message are shown on one line."""
    text = str(error(400, body))
    assert text.startswith("api.example.com answered 400 Bad Request" + (f": {quoted}" if quoted else "."))
    assert text.isprintable()
    assert "s3cr3t" not in text


def test_the_correlation_id_is_shown() -> None:
    """Support asks for it. It is cut if it is long."""
    assert "[correlation id 9f3-a]" in str(error(500, b"", inin_correlation_id="9f3-a"))
    assert len(str(error(500, b"", inin_correlation_id="x" * 9_999))) < 300
    assert "correlation id " not in str(error(400))


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>s3cr3t</body></html>" * 9_999, b"s3cr3t", b"\xff\xfes3cr3t", b'"s3cr3t"', b'["s3cr3t"]',
        b"[" * 90_000,
        b'{"stack": "s3cr3t"}',
    ],
)  # fmt: skip
def test_a_body_without_a_message_is_not_shown(body: bytes) -> None:
    """Such as HTML pages, stack traces and garbage."""
    text = str(error(500, body))
    assert "s3cr3t" not in text
    assert len(text) < 200


def test_a_long_message_is_cut() -> None:
    text = str(error(400, {"message": "x" * 1_000_000, "code": "y" * 1_000_000}))
    assert 300 < len(text) < 900


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0), ("0", 0.0), (" 12 ", 12.0), ("1.5", 1.5), ("86400", MAX_RETRY_AFTER), ("9" * 400,
        MAX_RETRY_AFTER),
        ("Mon, 20 Nov 2023 10:00:30 GMT", 29.5),
        ("Mon, 20 Nov 2023 11:00:30 +0100", 29.5),
        ("Mon, 20 Nov 2023 10:00:30 -0000", 29.5),
        ("Monday, 20-Nov-23 10:00:30 GMT", 29.5),
        ("Mon, 20 Nov 2023 09:00:00 GMT", 0.0),
        ("Mon, 20 Nov 2034 10:00:00 GMT", MAX_RETRY_AFTER),
    ],
)  # fmt: skip
def test_retry_after_has_two_forms(value: str, seconds: float) -> None:
    """Seconds or a date; a date in the past is now, and a long wait is cut to the maximum."""
    assert retry_after(value, NOW) == seconds
    found = error(429, b"", retry_after=value)
    assert isinstance(found, TransientError)
    assert found.retry_after == seconds


@pytest.mark.parametrize(
    "value",
    [
        None, "", "soon", "-5", "1e3", "NaN", "inf", "0x10", "Mon, 99 Foo 2023", "2023-11-20", "\u0667",
    ],
)  # fmt: skip
def test_an_invalid_retry_after_is_ignored(value: str | None) -> None:
    assert retry_after(value, NOW) is None


@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            ["Mon,", "20", "Nov", "2023", "999999", "10:00:30", "99:99:99", "GMT", "-9999", "-", ""]
        )
    ).map(" ".join)
)
@examples(150)
def test_no_retry_after_crashes_the_tap_or_stalls_it(value: str) -> None:
    wait = retry_after(value, NOW)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER


@given(st.integers(-400, 400))
@examples()
def test_a_date_is_a_wait_until_then(seconds: int) -> None:
    date = email.utils.format_datetime(NOW.replace(microsecond=0) + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(date, NOW) == min(max(seconds - 0.5, 0), MAX_RETRY_AFTER)


@given(st.integers(100, 999), st.binary(max_size=200), st.text(max_size=50))
@examples(100)
def test_any_response_becomes_one_printable_line(status: int, body: bytes, header: str) -> None:
    """Whatever its status, body and headers."""
    found = error(status, body, retry_after=header, inin_correlation_id=header)
    assert str(found).isprintable()
    assert len(str(found)) < 1_000
    assert isinstance(found, TapError)
