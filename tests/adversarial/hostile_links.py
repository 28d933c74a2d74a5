"""Links and redirects that leave the host, go in circles, or never end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.adversarial.server import ONE_ROW, Case, Reply, Request, entity, page
from tests.adversarial.tap_run import JOBS_QUERY

if TYPE_CHECKING:
    from tests.adversarial.server import Responder

_LINKS = {
    "another host": "https://evil.invalid/next",
    "another scheme": "https://{host}/next",
    "another port": "http://127.0.0.1:9/next",
    "another loopback address": "http://127.0.0.2:{port}/next",
    "our host as user info": "http://{host}@evil.invalid/next",
    "user info on our host": "http://me:word@{host}/next",
    "our host as a prefix": "http://127.0.0.1.evil.invalid:{port}/next",
    "our host as a suffix": "http://evil.127.0.0.1:{port}/next",
    "a dot after the host": "http://127.0.0.1.:{port}/next",
    "the host as a decimal number": "http://2130706433:{port}/next",
    "the host in octal": "http://0177.0.0.1:{port}/next",
    "the host in full-width digits": "http://\uff11\uff12\uff17.0.0.1:{port}/next",
    "the host with an ideographic full stop": "http://127\u30020.0.1:{port}/next",
    "two slashes": "//evil.invalid/next",
    "three slashes": "///evil.invalid/next",
    "backslashes": "\\\\evil.invalid\\next",
    "a backslash before an at sign": "http://evil.invalid\\@{host}/next",
    "a hash before an at sign": "http://evil.invalid#@{host}/next",
    "a leading tab": "\thttp://evil.invalid/next",
    "a line break in the scheme": "ht\ntp://evil.invalid/next",
    "a line break in the host": "http://evil.in\r\nvalid/next",
    "a script": "javascript:alert(1)",
    "a file": "file:///etc/passwd",
    "not a URL": "http://[::1",
    "a megabyte": "http://" + "x" * (1 << 20) + ".invalid/",
}
_SAME_HOST = {"three slashes", "backslashes"}
"""Every URL parser takes these for a path on the same host."""


def link_to(link: str) -> Responder:
    """The first page has this link; the next page is the last."""

    def api(request: Request) -> Reply:
        host = request.origin.removeprefix("http://")
        here = link.replace("{host}", host).replace("{port}", host.rpartition(":")[2])
        return Reply(page(entity(), following=here) if request.number == 1 else page())

    return api


def redirect_to(status: int, location: str) -> Responder:
    """Redirects every request."""
    return lambda _: Reply(status=status, headers=(("Location", location),))


def _endless_pages(request: Request) -> Reply:
    return Reply(page(following=f"?page={request.number}"))


def _repeated_rows(request: Request) -> Reply:
    return Reply(page(entity(), following=f"?page={request.number}" if request.number < 30 else None))


def _endless_cursors(request: Request) -> Reply:
    if request.method == "POST":
        return Reply(b'{"jobId": "j"}')
    if "/results" not in request.target:
        return Reply(b'{"state": "FULFILLED"}')
    return Reply(json.dumps({"results": [], "cursor": str(request.number)}).encode())


def _endless_users(request: Request) -> Reply:
    entities = [{"id": f"u{request.number}-{each}"} for each in range(2)]
    link = f"/api/v2/users?p={request.number}"
    return Reply(json.dumps({"entities": entities, "pageCount": 10**9, "nextUri": link}).encode())


_USERS_QUERY = {
    "name": "people",
    "endpoint": "users",
    "group_by": ["userId"],
    "metrics": ["tSystemPresence"],
    "granularity": "P1D",
}
_ENDLESS: dict[str, tuple[str, str, Responder, dict[str, object]]] = {
    "without an end": (
        "Every page is empty and links to a new one",
        r"^UnreadableError: .*10,000 pages.*page_size",
        _endless_pages,
        {},
    ),
    "cursors without an end": (
        "Every page of a job's results has a new cursor",
        r"^UnreadableError: .*10,000 pages",
        _endless_cursors,
        {"api": "results", "queries": [JOBS_QUERY]},
    ),
    "users without an end": (
        "The list of users never ends, and every page has new users",
        r"^UnreadableError: lookup 'users': .*never ends",
        _endless_users,
        {"api": "results", "queries": [_USERS_QUERY]},
    ),
}

CASES = (
    *(
        Case(
            f"link: {name}",
            "The next page is " + (repr(link)[:70] if len(link) < 100 else "a host name of a megabyte"),
            ONE_ROW
            if name in _SAME_HOST
            else r"^OtherHostError: .*leads away from http://[\d.:]+, to .*base_url",
            link_to(link),
            max_mib=300,
        )
        for name, link in _LINKS.items()
    ),
    *(
        Case(
            f"redirect: {status}",
            f"{status} to another host",
            rf"^OtherHostError: .* answered {status} .*Redirects are not followed",
            redirect_to(status, "https://evil.invalid/"),
        )
        for status in (301, 302, 303, 307, 308)
    ),
    Case(
        "redirect: token request",
        "307 to another host, in reply to the client secret",
        r"^OtherHostError: .*Redirects are not followed",
        token=redirect_to(307, "https://evil.invalid/oauth/token"),
    ),
    Case(
        "pages: in a circle",
        "Every page links to the same next page",
        r"^UnreadableError: .*already followed",
        lambda _: Reply(page(following="?page=2")),
    ),
    Case(
        "pages: the same rows",
        "30 links, all to the row of the first page",
        r'^1 rows .*"routing_queue_id": "q1"',
        _repeated_rows,
    ),
    *(
        Case(
            f"pages: {name}",
            behavior,
            expected,
            api,
            config=config,
            over_socket=True,
            full_run_only=True,
            max_seconds=90,
            max_mib=200,
        )
        for name, (behavior, expected, api, config) in _ENDLESS.items()
    ),
    Case(
        "job: a path as its id",
        "The job's id leads to another path",
        r"^UnreadableError: .*the id of a job is invalid",
        lambda _: Reply(b'{"jobId": "../../oauth/clients"}'),
        config={"api": "results", "queries": [JOBS_QUERY]},
    ),
)
