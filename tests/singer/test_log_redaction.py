"""Logs are redacted in every record, whoever logs it and whatever writes it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING

import pytest
from singer_sdk import metrics
from singer_sdk.logging import StructuredFormatter
from typing_extensions import override

from tap_genesys_aggregates.core import redaction
from tap_genesys_aggregates.singer.log_redaction import print_redacted, redact_logs, redact_record
from tests.adversarial.leaks import leaked
from tests.adversarial.tap_run import CLIENT, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _redacted_logs() -> Iterator[None]:
    """The logs of this process are redacted during a test."""
    redaction.remember_client(CLIENT, SECRET)
    redact_logs()
    before = list(logging.getLogger().handlers)
    yield
    for handler in {*logging.getLogger().handlers} - {*before}:
        logging.getLogger().removeHandler(handler)
        if isinstance(handler, logging.handlers.MemoryHandler) and handler.target:
            handler.target.close()
        handler.close()


class _Value:
    """An object whose text is a secret."""

    @override
    def __str__(self) -> str:
        return SECRET


class _Broken:
    """An object that has no text."""

    @override
    def __repr__(self) -> str:
        raise ValueError(SECRET)


def _raise() -> None:
    try:
        _ = os.environ[SECRET]
    except KeyError as error:
        raise RuntimeError(f"again {SECRET}") from error


def _exception(log: logging.Logger) -> None:
    try:
        _raise()
    except RuntimeError:
        log.exception("it failed")


LOGGED: dict[str, Callable[[logging.Logger], object]] = {
    "a message": lambda log: log.error(f"it is {SECRET}"),  # noqa: G004  # as others log
    "an argument": lambda log: log.error("it is %s", SECRET),
    "an argument that is not text": lambda log: log.error("it is %s", _Value()),
    "an argument of a mapping": lambda log: log.error("it is %(secret)s", {"secret": SECRET}),
    "two halves": lambda log: log.error("it is %s%s", SECRET[:7], SECRET[7:]),
    "an argument of which nothing is shown": lambda log: log.error("it is ***%.0s", SECRET),
    "arguments that do not fit": lambda log: log.error("it is %d", SECRET),
    "too many arguments": lambda log: log.error("it is", SECRET),  # noqa: PLE1205  # as others log
    "a message that is not text": lambda log: log.error(_Value()),
    "an object without a text": lambda log: log.error("it is %s", _Broken()),
    "an exception": _exception,
    "extra": lambda log: log.error("it", extra={"secret": SECRET}),
    "extra that is not text": lambda log: log.error("it", extra={"secret": {"nested": [SECRET]}}),
    "a stack": lambda log: log.error(SECRET, stack_info=True),
    "a warning": lambda _: warnings.warn(f"it is {SECRET}", stacklevel=1),
}


def _file(folder: Path) -> Callable[[], str]:
    handler = logging.FileHandler(folder / "file.log")
    handler.setFormatter(logging.Formatter("%(message)s %(secret)s", defaults={"secret": ""}))
    logging.getLogger().addHandler(handler)
    return lambda: (folder / "file.log").read_text("utf-8")


def _structured(folder: Path) -> Callable[[], str]:
    text = _file(folder)
    logging.getLogger().handlers[-1].setFormatter(StructuredFormatter())
    return text


def _memory(folder: Path) -> Callable[[], str]:
    text = _file(folder)
    target = logging.getLogger().handlers.pop()
    logging.getLogger().addHandler(logging.handlers.MemoryHandler(99, target=target))
    memory = logging.getLogger().handlers[-1]

    def flushed() -> str:
        memory.flush()
        return text()

    return flushed


def _configured(folder: Path) -> Callable[[], str]:
    """As ``SINGER_SDK_LOG_CONFIG`` does, with a handler at a logger of its own."""
    formatter = {"()": logging.Formatter, "fmt": "%(message)s %(secret)s", "defaults": {"secret": ""}}
    handler = {
        "class": "logging.FileHandler",
        "filename": str(folder / "configured.log"),
        "formatter": "formatter",
    }
    one = {"handlers": ["file"], "propagate": False}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"formatter": formatter},
            "handlers": {"file": handler},
            "loggers": {"some.library": one, "py.warnings": one},
        }
    )
    return lambda: (folder / "configured.log").read_text("utf-8")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", LOGGED)
@pytest.mark.parametrize("writes", [_file, _structured, _memory, _configured])
def test_no_handler_writes_a_secret(
    name: str, writes: Callable[[Path], Callable[[], str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Handlers that are added after the logs are redacted, and what they report on standard error.

    ``logging.FileHandler`` at the root wrote the secret in clear text.
    """
    text = writes(tmp_path)
    logging.captureWarnings(capture=True)
    try:
        LOGGED[name](logging.getLogger("some.library"))
    finally:
        logging.captureWarnings(capture=False)
    written = text()
    for log in map(logging.getLogger, ("some.library", "py.warnings")):
        log.propagate = True
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()
    errors = capsys.readouterr().err
    assert leaked(written + errors) == []
    assert "***" in written or name == "an object without a text"
    assert "Logging error" not in errors


def test_the_handler_of_last_resort_writes_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that is used when nothing is configured."""
    log = logging.getLogger("alone")
    log.propagate = False
    try:
        log.error("it is %s", SECRET)
    finally:
        log.propagate = True
    assert capsys.readouterr().err == "it is ***\n"


def test_a_record_without_a_secret_stays_as_it_is() -> None:
    """Handlers that look at the template, the arguments or the exception still find them."""
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 / 0
    point = metrics.Point("counter", metrics.Metric.RECORD_COUNT, 5)
    record = logging.LogRecord("x", 20, "x.py", 1, "METRIC: %s", (point,), raised._excinfo)  # noqa: SLF001
    before = dict(vars(record))
    redact_record(record)
    assert vars(record) == before
    written = json.loads(StructuredFormatter().format(record))
    assert (written["message"], written["metric_info"]["value"]) == ("METRIC", 5)


def test_a_redacted_exception_keeps_its_traceback() -> None:
    """In the text of a usual formatter, and in what a structured formatter makes of it."""
    with pytest.raises(RuntimeError) as raised:
        _raise()
    record = logging.LogRecord("x", 40, "x.py", 1, "it", (), raised._excinfo)  # noqa: SLF001
    redact_record(record)
    text = logging.Formatter("%(message)s").format(record)
    assert text.startswith("it\nTraceback")
    assert text.endswith("RuntimeError: again ***")
    exception = json.loads(StructuredFormatter().format(record))["exception"]
    assert exception["type"] == "RedactedError"
    assert exception["message"].endswith("RuntimeError: again ***")


def test_redacting_takes_microseconds() -> None:
    """About 30 for a line of the debug log; nothing is logged for single rows."""
    for number in range(4):
        redaction.remember_token(f"token {number} {'x' * 80}")
    url = "/api/v2/analytics/conversations/aggregates/query"
    record = logging.LogRecord(
        "x", 10, "x.py", 1, '%s://%s:%s "%s %s"', ("https", "h", 443, "POST", url), None
    )
    started = time.perf_counter()
    for _ in range(1_000):
        redact_record(record)
    assert time.perf_counter() - started < 1


def test_an_exception_hook_prints_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook of ``tap-genesys-aggregates-warehouse``."""
    with pytest.raises(RuntimeError) as raised:
        _raise()
    printed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", printed)
    print_redacted(raised.type, raised.value, raised.tb)
    assert printed.getvalue().endswith("RuntimeError: again ***\n")
    assert leaked(printed.getvalue()) == []
