"""Links and redirects that lead elsewhere, form a loop, or on for ever."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.hostile.case import ONE_ROW, Case, leaf, page
from tests.hostile.serving import Asked, Reply

if TYPE_CHECKING:
    from tests.hostile.serving import Answer

_LINKS = {
    "another host": "https://evil.invalid/next",
    "another scheme": "https://{host}/next",
    "another port": "http://127.0.0.1:9/next",
    "another loopback": "http://127.0.0.2:{port}/next",
    "our host as user-info": "http://{host}@evil.invalid/next",
    "user-info on our host": "http://me:word@{host}/next",
    "our host as a prefix": "http://127.0.0.1.evil.invalid:{port}/next",
    "our host as a suffix": "http://evil.127.0.0.1:{port}/next",
    "a dot after the host": "http://127.0.0.1.:{port}/next",
    "the host in another notation": "http://2130706433:{port}/next",
    "the host in octal": "http://0177.0.0.1:{port}/next",
    "the host in wide digits": "http://\uff11\uff12\uff17.0.0.1:{port}/next",
    "the host with another full stop": "http://127\u30020.0.1:{port}/next",
    "two slashes": "//evil.invalid/next",
    "three slashes": "///evil.invalid/next",
    "backslashes": "\\\\evil.invalid\\next",
    "a backslash before an at sign": "http://evil.invalid\\@{host}/next",
    "a hash before an at sign": "http://evil.invalid#@{host}/next",
    "a tab before it": "\thttp://evil.invalid/next",
    "a line break in the scheme": "ht\ntp://evil.invalid/next",
    "a line break in the host": "http://evil.in\r\nvalid/next",
    "a script": "javascript:alert(1)",
    "a file": "file:///etc/passwd",
    "no URL": "http://[::1",
    "a megabyte": "http://" + "x" * (1 << 20) + ".invalid/",
}
_STAYS = {"three slashes", "backslashes"}
"""What every reader of URLs takes for a path on the same host."""


def _linking(link: str) -> Answer:
    """The first page has this link; nothing follows on the next."""

    def data(asked: Asked) -> Reply:
        host = asked.origin.removeprefix("http://")
        here = link.replace("{host}", host).replace("{port}", host.rpartition(":")[2])
        return Reply(page(leaf(), following=here) if asked.number == 1 else page())

    return data


def _redirecting(status: int, place: str) -> Answer:
    return lambda _: Reply(status=status, headers=(("Location", place),))


def _endless(asked: Asked) -> Reply:
    return Reply(page(following=f"?page={asked.number}"))


def _endless_jobs(asked: Asked) -> Reply:
    if asked.method == "POST":
        return Reply(b'{"jobId": "j"}')
    if "/results" not in asked.target:
        return Reply(b'{"state": "FULFILLED"}')
    return Reply(json.dumps({"results": [], "cursor": str(asked.number)}).encode())


def _endless_users(asked: Asked) -> Reply:
    entities = [{"id": f"u{asked.number}-{each}"} for each in range(2)]
    return Reply(
        json.dumps(
            {"entities": entities, "pageCount": 10**9, "nextUri": f"/api/v2/users?p={asked.number}"}
        ).encode()
    )


def _other_links(asked: Asked) -> Reply:
    return Reply(page(leaf(), following=f"?page={asked.number}" if asked.number < 30 else None))


USERS = {
    "name": "people",
    "endpoint": "users",
    "group_by": ["userId"],
    "metrics": ["tSystemPresence"],
    "granularity": "P1D",
}
JOBS = {"name": "calls", "metrics": ["nOffered"], "granularity": "P1D", "mode": "async"}

CASES = (
    *(
        Case(
            f"link: {name}",
            "The next page is " + (repr(link)[:70] if len(link) < 100 else "a host's name of a megabyte"),
            ONE_ROW
            if name in _STAYS
            else r"^OtherHostError: .*leads away from http://[\d.:]+, to .*base_url",
            _linking(link),
            memory=300,
        )
        for name, link in _LINKS.items()
    ),
    *(
        Case(
            f"redirect: {status}",
            f"{status} to another host",
            rf"^OtherHostError: .* answered {status} .*Redirects are not followed",
            _redirecting(status, "https://evil.invalid/"),
        )
        for status in (301, 302, 303, 307, 308)
    ),
    Case(
        "redirect: of the token",
        "307 to another host, where the secret was sent",
        r"^OtherHostError: .*Redirects are not followed",
        grant=_redirecting(307, "https://evil.invalid/oauth/token"),
    ),
    Case(
        "pages: in a circle",
        "Every page links to the same next one",
        r"^UnreadableError: .*followed before",
        lambda _: Reply(page(following="?page=2")),
    ),
    Case(
        "pages: the same rows",
        "30 links, all with the row of the first page",
        r"^UnforeseenError: .*two rows came with the same key",
        _other_links,
    ),
    Case(
        "pages: without an end",
        "Every page links to one that is new, all of them empty",
        r"^UnreadableError: .*10,000 pages.*page_size",
        _endless,
        seconds=90,
        wired=True,
        long=True,
        memory=200,
    ),
    Case(
        "pages: cursors without an end",
        "Every page of a job's results has a cursor that is new",
        r"^UnreadableError: .*10,000 pages",
        _endless_jobs,
        config={"api": "results", "queries": [JOBS]},
        seconds=90,
        wired=True,
        long=True,
        memory=200,
    ),
    Case(
        "pages: users without an end",
        "A list of users whose pages go on for ever, each with other users",
        r"^UnreadableError: lookup 'users': .*no end",
        _endless_users,
        config={"api": "results", "queries": [USERS]},
        seconds=90,
        wired=True,
        long=True,
        memory=200,
    ),
    Case(
        "job: a path for an id",
        "A job whose id leads to another path",
        r"^UnreadableError: .*an id that is none",
        lambda _: Reply(b'{"jobId": "../../oauth/clients"}'),
        config={"api": "results", "queries": [JOBS]},
    ),
)
