"""Puts the numbers, the charts and Vega's JavaScript into one HTML file that asks the network for nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import vl_convert

from report import charts, fleet, palette, words
from report.fleet import ORGANIZATIONS_DRAWN
from report.queries import AGENTS_DRAWN, QUEUES_DRAWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from report.charts import Spec
    from report.fleet import Organization
    from report.queries import Numbers, Row

_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
"""Even if a script wanted to: the browser lets the page load nothing and send nothing."""

_NO_INTERVALS = "queue_performance was loaded in intervals of a day or longer."
_MISSING = f"{words.MISSING} means that there is no number: it is not 0."
_NO_AGENTS = "The query agent_status is not loaded, or its mart is left out (using_agent_status)."


def page(numbers: Numbers, now: datetime, *, organization: str | None = None, note: str | None = None) -> str:
    """Return the page.

    Args:
        numbers: What it shows.
        now: When it is made.
        organization: The organization, for the heading.
        note: A line to show above everything, such as the outcome of a check.
    """
    specs: dict[str, Spec] = {}
    sections = [
        _tiles(numbers),
        _profile(numbers, specs),
        _heat(numbers, specs),
        _service_level(numbers, specs),
        _queues(numbers.queues),
        _status(numbers, specs),
        _quality(numbers.quality, now),
    ]
    heading = "Contact center" if organization is None else f"Contact center: {organization}"
    period, media = words.period(numbers.period), numbers.totals["media_types"]
    final = "" if numbers.totals["is_final"] else " Recent numbers can still change."
    frame = _Frame(
        title=f"{heading}, {period}",
        heading=heading,
        line=f"{period} · days of {numbers.period.time_zone} · {media}",
        footer=f"{final} {_MISSING} Rates and averages are sums divided by sums, over the whole period.",
    )
    return _document(frame, "".join(sections), specs, now, note)


def fleet_page(rows: list[Row], now: datetime, *, note: str | None = None) -> str:
    """Return the page of several organizations: how fresh and complete each is, and no KPIs.

    Args:
        rows: A row for each organization.
        now: When it is made.
        note: A line to show above everything.
    """
    heading = f"Contact centers: {words.plural(len(rows), 'organization')}"
    frame = _Frame(
        title=f"{heading}, {words.instant(now)}",
        heading=heading,
        line="Numbers of several organizations are never added up. For the KPIs of one: --organization NAME",
        footer=f" {_MISSING}",
    )
    organizations = fleet.ranked(rows, now)
    return _document(frame, _fleet_tiles(organizations) + _fleet(organizations, now), {}, now, note)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The texts around the sections of a page."""

    title: str
    heading: str
    line: str
    footer: str


def _document(frame: _Frame, body: str, specs: dict[str, Spec], now: datetime, note: str | None) -> str:
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    data = json.dumps(specs, ensure_ascii=False, default=str)
    vega = f"<script>{_in_script(vl_convert.javascript_bundle(), quoted=False)}</script>\n" if specs else ""
    no_script = (
        "<noscript><p>The charts need JavaScript, which is in this file.</p></noscript>" if specs else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(frame.title)}</title>
<style>
:root {{ {palette.css(palette.LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {palette.css(palette.DARK)} }} }}
{style}
</style>
</head>
<body>
<header>
<h1>{escape(frame.heading)}</h1>
<p>{escape(frame.line)}</p>
{f'<p class="note">{escape(note)}</p>' if note else ""}
</header>
<main>
{body}
</main>
<footer><p>Made on {words.instant(now)} from the dbt marts.{frame.footer}</p>
{no_script}</footer>
<script type="application/json" id="charts">{_in_script(data)}</script>
{vega}<script>{script}</script>
</body>
</html>
"""


def _tiles(numbers: Numbers) -> str:
    totals = numbers.totals
    occupancy = numbers.occupancy
    extent = f"{words.plural(totals['queues'], 'queue')}, {words.plural(totals['days'], 'day')}"
    tiles = [
        ("offered", "Offered", words.count(totals["offered"]), extent),
        (
            "answered",
            "Answered",
            words.count(totals["answered"]),
            f"{words.share(totals['answer_rate'])} of offered",
        ),
        (
            "abandon-rate",
            "Abandon rate",
            words.share(totals["abandon_rate"]),
            f"{words.count(totals['abandoned'])} abandoned",
        ),
        (
            "service-level",
            "Service level",
            words.share(totals["service_level"]),
            words.against_target(totals),
        ),
        (
            "handle-time",
            "Handle time (AHT)",
            words.duration(totals["average_handle_seconds"]),
            f"{words.count(totals['handled'])} handled",
        ),
        (
            "speed-of-answer",
            "Speed of answer (ASA)",
            words.duration(totals["average_speed_of_answer_seconds"]),
            "average of the answered",
        ),
        (
            "occupancy",
            "Occupancy",
            words.share(occupancy["occupancy"] if occupancy else None),
            words.plural(occupancy["agents"], "agent") if occupancy else "not loaded",
        ),
    ]
    return _list_of_tiles(tiles)


def _list_of_tiles(tiles: Iterable[tuple[str, str, str, str]]) -> str:
    """Tiles from their name, label, value and what is said below it."""
    items = "".join(
        f'<li class="tile" id="tile-{name}"><span>{label}</span><strong>{escape(value)}</strong>'
        f"<small>{escape(detail)}</small></li>"
        for name, label, value, detail in tiles
    )
    return f'<ul class="tiles">{items}</ul>\n'


def _profile(numbers: Numbers, specs: dict[str, Spec]) -> str:
    rows = numbers.profile
    if not rows:
        return _section("Offered and answered by interval", _NO_INTERVALS, "")
    specs["profile"] = charts.profile(rows)
    days = max(row["days"] for row in rows)
    subtitle = f"Offered and answered by time of day{'' if days == 1 else f', average of {days} days'}"
    return _section(
        words.profile_title(rows), subtitle, _chart("profile") + _legend(charts.OFFERED_AND_ANSWERED)
    )


def _heat(numbers: Numbers, specs: dict[str, Spec]) -> str:
    rows = numbers.heat
    if not rows:
        return _section("Offered by weekday and half hour", _NO_INTERVALS, "")
    highest = max(row["offered"] for row in rows)
    figures = []
    for number, (queue, found) in enumerate(_by_queue(rows).items()):
        name = f"heat-{number}"
        specs[name] = charts.heat(found, highest, queue)
        caption = f"<b>{escape(queue)}</b> {escape(words.queue_peak(found))}"
        figures.append(f"<figure><figcaption>{caption}</figcaption>{_chart(name)}</figure>")
    busy = sum(1 for row in numbers.queues if row["offered"])
    left_out = f" The {QUEUES_DRAWN} busiest of {busy} queues." if busy > QUEUES_DRAWN else ""
    subtitle = f"Offered by weekday and half hour, average of the days; blank is none.{left_out}"
    body = f'<div class="figures">{"".join(figures)}</div>{_steps(highest)}'
    return _section(words.heat_title(rows), subtitle, body)


def _steps(highest: float) -> str:
    """The legend of the heat maps: equal steps up to the highest number."""
    count = len(palette.STEPS)
    steps = {
        f"up to {words.few(round(highest * number / count, 1))}": f"step{number}"
        for number in range(1, count + 1)
    }
    return _legend(steps)


def _legend(colors: dict[str, str]) -> str:
    items = "".join(
        f'<li><i style="background: var(--{color})"></i>{escape(label)}</li>'
        for label, color in colors.items()
    )
    return f'<ul class="legend">{items}</ul>'


def _service_level(numbers: Numbers, specs: dict[str, Spec]) -> str:
    rows = numbers.service_level
    if not rows:
        return _section("Service level by queue and day", "No queue has a service level in this period.", "")
    specs["service-level"] = charts.service_level(rows)
    days = len({row["day"] for row in rows})
    chart = _chart("service-level", width=130 + 16 * days)
    subtitle = "Service level by queue and day, in percent"
    return _section(
        words.service_level_title(numbers),
        subtitle,
        f'<div class="wide">{chart}</div>{_legend(charts.LEVELS)}',
    )


def _queues(rows: list[Row]) -> str:
    headings = (
        "Queue",
        "Offered",
        "Answered",
        "Abandon rate",
        "Service level",
        "Target",
        "Speed of answer",
        "Handle time",
    )
    body = [
        (
            row["queue"],
            words.count(row["offered"]),
            words.count(row["answered"]),
            words.share(row["abandon_rate"]),
            words.share(row["service_level"]),
            words.target(row),
            words.duration(row["average_speed_of_answer_seconds"]),
            words.duration(row["average_handle_seconds"]),
        )
        for row in rows
    ]
    busiest = rows[0]
    title = f"{busiest['queue']} was offered the most: {words.count(busiest['offered'])} conversations"
    return _section(title, "Each queue over the whole period", _table(headings, body))


def _status(numbers: Numbers, specs: dict[str, Spec]) -> str:
    rows = numbers.status
    if not rows:
        return _section(
            "Agents' time by status",
            _NO_AGENTS if rows is None else "No agent has a status in this period.",
            "",
        )
    specs["status"] = charts.status(rows)
    subtitle = "Agents' time by routing status; those with the most time on queue first"
    if len({row["agent"] for row in rows}) == AGENTS_DRAWN:
        subtitle += f", up to {AGENTS_DRAWN}"
    return _section(words.status_title(rows), subtitle, _chart("status") + _legend(charts.statuses(rows)))


def _quality(rows: list[Row], now: datetime) -> str:
    headings = (
        "Query",
        "Age of the data",
        "Gaps",
        "Incomplete windows",
        "Missing rows",
        "Covered from",
        "to",
        "Last loaded",
    )
    body = [
        (
            row["query"],
            words.age((now - row["covered_until"]).total_seconds()),
            words.count(row["gaps"]),
            words.count(row["missing_windows"]),
            words.count(row["missing_rows"]),
            words.instant(row["covered_from"]),
            words.instant(row["covered_until"]),
            words.instant(row["last_extracted_at"]),
        )
        for row in rows
    ]
    subtitle = f"Freshness and data quality, as of the last dbt build. {words.MISSING}: not checked."
    return _section(words.quality_title(rows), subtitle, _table(headings, body))


def _fleet_tiles(organizations: list[Organization]) -> str:
    known = sum(each.row["last_run_status"] is not None for each in organizations)
    details = {
        fleet.NEVER: "no window of any query",
        fleet.FAILED: f"last runs known: {known} of {len(organizations)}",
        fleet.LATE: f"a query not loaded for {fleet.LATE_AFTER_HOURS} hours",
        fleet.INCOMPLETE: "gaps or incomplete windows",
    }
    tiles = [("attention", "Need attention", fleet.NOT_FINE, f"of {len(organizations)} organizations")]
    tiles += [(problem, fleet.LABELS[problem], {problem}, detail) for problem, detail in details.items()]
    return _list_of_tiles(
        (
            name,
            label,
            words.count(sum(not wanted.isdisjoint(each.problems) for each in organizations)),
            detail,
        )
        for name, label, wanted, detail in tiles
    )


def _fleet(organizations: list[Organization], now: datetime) -> str:
    """The worst organizations, and the others behind a line that counts them."""
    ill = [each for each in organizations if each.problems]
    fine = organizations[len(ill) :]
    drawn, rest = ill[:ORGANIZATIONS_DRAWN], ill[ORGANIZATIONS_DRAWN:]
    if len(organizations) <= ORGANIZATIONS_DRAWN:
        drawn, fine = organizations, []
    body = _fleet_table(drawn, now) if drawn else ""
    for hidden, text in ((rest, f"{len(rest)} more need attention"), (fine, f"{len(fine)} have no problem")):
        if hidden:
            body += f"<details><summary>{text}</summary>{_fleet_table(hidden, now)}</details>"
    subtitle = (
        "Freshness and data quality, as of the last dbt build; the worst first. An organization is as fresh "
        f"as the query that was loaded least lately. {words.MISSING}: not known, or not checked."
    )
    return _section(fleet.title(organizations), subtitle, f'<div class="fleet">{body}</div>')


def _fleet_table(organizations: list[Organization], now: datetime) -> str:
    headings = (
        "Organization",
        "Problem",
        "Last loaded",
        "Age of the data",
        "Gaps",
        "Incomplete windows",
        "Missing rows",
        "Last run",
        "Last error",
    )
    body = [
        (
            each.row["organization"],
            each.text,
            words.age_of(each.row["last_extracted_at"], now, ago=" ago"),
            words.age_of(each.row["covered_until"], now),
            words.count(each.row["gaps"]),
            words.count(each.row["missing_windows"]),
            words.count(each.row["missing_rows"]),
            words.last_run(each.row, now),
            words.shortened(each.row["last_error"]),
        )
        for each in organizations
    ]
    return _table(headings, body)


def _section(title: str, subtitle: str, body: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="subtitle">{escape(subtitle)}</p>{body}</section>\n'


def _chart(name: str, *, width: int = 0) -> str:
    wide = f' style="min-width: {width}px"' if width else ""
    return f'<div class="chart" id="{name}"{wide}></div>'


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in headings)
    body = "".join(
        "<tr>" + "".join(_cell(number, each) for number, each in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(number: int, text: str) -> str:
    return f"<td>{escape(text)}</td>" if number else f'<th scope="row">{escape(text)}</th>'


def _by_queue(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["queue"], []).append(row)
    return found


def _in_script(text: str, *, quoted: bool = True) -> str:
    """A text that does not end the element that it is in, whatever a queue is called."""
    return text.replace("<", "\\u003c") if quoted else text.replace("</script", "<\\/script")


def now_in_utc() -> datetime:
    return datetime.now(timezone.utc)
