"""Pages in another order than by their number, and pages that come again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genesys_sandbox import Fault, Request, Response
from genesys_sandbox.group_tree_endpoint import PATH, read_page

if TYPE_CHECKING:
    from genesys_sandbox.faults import Edit


class Paging:
    """How the pages of one run follow each other."""

    def __init__(self, *, shuffled: bool) -> None:
        """Begin.

        Args:
            shuffled: Whether the links lead to page 3, then 2, then 5, then 4: every page once, out of order.
        """
        self._shuffled = shuffled
        self._last: dict[str, bytes] = {}

    def around(self, fault: Fault | None) -> Fault | None:
        """A fault of a request, or none, with the pages in order."""
        if fault is None:
            return Fault("", edit=self._page)
        return fault if fault.instead else replace(fault, edit=_both(self._page, fault.edit))

    def twice(self) -> Fault:
        """The page before it comes in place of the one that was asked for."""

        def before(request: Request, answer: Response) -> Response:
            body = self._last.get(_chain(request)) if answer.status < 300 else None
            return self._page(request, answer) if body is None else replace(answer, body=body)

        return Fault("page twice", edit=before)

    def _page(self, request: Request, answer: Response) -> Response:
        """Remember a page, in its place."""
        if not (chain := _chain(request)) or answer.status >= 300:
            return answer
        if self._shuffled and request.path == PATH:
            answer = _moved(request, answer)
        self._last[chain] = answer.body
        return answer


def _both(first: Edit, second: Edit | None) -> Edit:
    """One edit after another."""
    return first if second is None else lambda request, answer: second(request, first(request, answer))


def _chain(request: Request) -> str:
    """What all pages of one answer have in common; empty where there are no pages."""
    if request.path == PATH:
        return json.dumps(read_page(request, 0).body, sort_keys=True)
    return request.path if request.path.endswith("/results") else ""


def _moved(request: Request, answer: Response) -> Response:
    """A page of a tree whose link leads to the page that comes after it out of order."""
    body: Any = json.loads(answer.body)
    link = body["links"].get("next") or request.target
    if "cursor=" not in link:  # all is on this page
        return answer
    head, path, query = link.partition(PATH)
    page = read_page(Request("POST", path + query), 0)
    number = _after(body["pageNumber"], -(-body["total"] // body["pageSize"]))
    body["links"] = {}
    if number:
        there = replace(page, number=number, gap=False)
        body["links"]["next"] = head + there.link(body["pageSize"])
    return replace(answer, body=json.dumps(body).encode())


def _after(number: int, last: int) -> int:
    """The page that follows a page in the order 1, 3, 2, 5, 4, …; 0 after the last one."""
    if number > 1 and number % 2:
        return number - 1
    even = number if number > 1 else 0
    return next((each for each in (even + 3, even + 2) if each <= last), 0)
