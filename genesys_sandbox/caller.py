"""Asking a sandbox directly, for tests and examples: no session, no socket, no adapter."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from genesys_sandbox.contract import families
from genesys_sandbox.messages import Answer, Request
from genesys_sandbox.tree_query import PATH as TREE_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genesys_sandbox.front import Sandbox

_CREDENTIALS = base64.b64encode(b"sandbox:sandbox").decode()


class Caller:
    """A client with a token of its own, fetched at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Fetch a token from this sandbox, as `sandbox`/`sandbox`."""
        self._sandbox = sandbox
        self.headers: dict[str, str] = {}
        self.renew()

    def renew(self) -> None:
        """Fetch another token."""
        headers = {"authorization": f"Basic {_CREDENTIALS}"}
        request = Request("POST", "/oauth/token", headers, b"grant_type=client_credentials")
        token = json.loads(self._sandbox.handle(request).body)["access_token"]
        self.headers = {"authorization": f"Bearer {token}"}

    def ask(self, method: str, target: str, body: object = None) -> Answer:
        """One request; a body of None is no body."""
        sent = b"" if body is None else json.dumps(body).encode()
        return self._sandbox.handle(Request(method, target, self.headers, sent))

    def read(self, method: str, target: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """The JSON of an answer that is right.

        Raises:
            AssertionError: the answer is an error.
        """
        answer = self.ask(method, target, body)
        if answer.status not in {200, 202}:
            raise AssertionError(answer.body.decode())
        return json.loads(answer.body)

    def results(self, family: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
        """The answer to a results query of a family."""
        return self.read("POST", families()[family].path, body)

    def tree_pages(self, body: Mapping[str, object]) -> list[Any]:
        """Every page of a group-tree query, by its links."""
        pages = [self.read("POST", TREE_PATH, body)]
        while link := pages[-1]["links"].get("next"):
            pages.append(self.read("POST", link[link.index("/api") :]))
        return pages
