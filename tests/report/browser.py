"""A headless Chromium, through the DevTools protocol on two pipes: no driver, no port, no library."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
"""The browser of this machine, or None."""

_SECONDS = 120
_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--proxy-server=127.0.0.1:9",
)  # fmt: skip


@dataclass
class Page:
    """A tab.

    Attributes:
        requests: URLs that it asked for, its own included.
        errors: What it wrote to the console, and exceptions.
    """

    send: Any
    receive: Any
    session: str = ""
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and note what happens meanwhile."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.send(message)
        while True:
            answer = self.receive()
            self._note(answer)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Page.javascriptDialogOpening":
                raise AssertionError(parameters["message"])  # it would block everything else
            case "Runtime.exceptionThrown":
                self.errors.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.errors.append(str(parameters["args"]))
            case "Log.entryAdded":
                self.errors.append(parameters["entry"]["text"])

    def show(self, path: Path, *, width: int, dark: bool = False, media: str = "") -> None:
        """Open a file and wait until its charts are drawn."""
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        for _ in range(200):
            if self.value("document.body && document.body.dataset.drawn") is not None:
                return
            self.value("new Promise(done => setTimeout(done, 50))")
        raise AssertionError(self.errors)

    def value(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])


@contextlib.contextmanager
def open_page(folder: Path) -> Iterator[Page]:
    """Start the browser with a profile in a folder, and open an empty tab."""
    assert PROGRAM
    pipes = folder / "to", folder / "from"
    for pipe in pipes:
        os.mkfifo(pipe)
    command = [PROGRAM, *_OPTIONS, f"--user-data-dir={folder / 'profile'}"]
    with (
        subprocess.Popen(
            ["/bin/sh", "-c", 'exec 3<"$0" 4>"$1"; shift; exec "$@"', *pipes, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        ) as process,
        pipes[0].open("wb", buffering=0) as outgoing,
        pipes[1].open("rb") as incoming,
    ):  # fmt: skip
        overdue = threading.Timer(_SECONDS, process.kill)
        overdue.start()
        try:
            page = Page(
                lambda message: outgoing.write(json.dumps(message).encode() + b"\0"),
                lambda: json.loads(_until_nul(incoming)),
            )
            target = page.call("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield page
        finally:
            overdue.cancel()
            process.terminate()
            process.wait(20)


def _until_nul(stream: Any) -> bytes:
    found = bytearray()
    while (byte := stream.read(1)) != b"\0":
        assert byte, "the browser has ended"
        found += byte
    return bytes(found)
