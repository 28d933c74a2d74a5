"""The charts, as Vega-Lite. Each has its rows inside and is as wide as the place where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import altair as alt

from report import words
from report.palette import STEPS

if TYPE_CHECKING:
    from datetime import date

    from report.queries import Row

Spec: TypeAlias = "dict[str, Any]"

OFFERED_AND_ANSWERED = {"offered": "offered", "answered": "answered"}
"""Legend of the profile: label → color. So are the next two."""

_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
_STATUSES = {
    "INTERACTING": ("Interacting", "interacting"),
    "COMMUNICATING": ("Communicating", "communicating"),
    "IDLE": ("Idle", "idle"),
    "NOT_RESPONDING": ("Not responding", "not-responding"),
    "OFF_QUEUE": ("Off queue", "off-queue"),
}
_NEAR = 0.1
LEVELS = {
    "target met": "met",
    "missed by up to 10 points": "near",
    "missed by more": "far",
    "no service level or target": "none",
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def profile(rows: list[Row]) -> Spec:
    """Offered as bars and answered as a line, by time of day."""
    starts = [row["start"] for row in rows]
    x = alt.X("start:O", title=None, sort=starts, axis=_hours())
    tooltip = [
        alt.Tooltip("start:O", title="from"),
        alt.Tooltip("offered:Q", title="offered", format=",.1f"),
        alt.Tooltip("answered:Q", title="answered", format=",.1f"),
        alt.Tooltip("days:Q", title="average of days"),
    ]
    colors = alt.Scale(
        domain=list(OFFERED_AND_ANSWERED), range=[f"var(--{name})" for name in OFFERED_AND_ANSWERED.values()]
    )
    base = alt.Chart(_data(rows))
    bars = base.mark_bar(width=alt.RelativeBandSize(0.85)).encode(
        x=x,
        y=alt.Y("offered:Q", title=None, axis=alt.Axis(tickCount=5, format=",~g")),
        color=alt.Color("what:N", scale=colors, legend=None),
        tooltip=tooltip,
    )
    line = base.mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=18)).encode(
        x=x, y="answered:Q", color=alt.Color("what:N", scale=colors, legend=None), tooltip=tooltip
    )
    chart = alt.layer(
        bars.transform_calculate(what="'offered'"), line.transform_calculate(what="'answered'")
    ).properties(height=230)
    return _finished(chart, "Conversations offered and answered by time of day")


def heat(rows: list[Row], highest: float, queue: str) -> Spec:
    """Offered by weekday and half hour, of one queue.

    Args:
        rows: The rows of the queue.
        highest: The highest number of all queues, so that the same color means the same.
        queue: The queue's name.
    """
    halves = [f"{number // 2:02}:{number % 2 * 30:02}" for number in range(48)]
    chart = (
        alt.Chart(_data(rows))
        .mark_rect(stroke="var(--card)", strokeWidth=0.5)
        .encode(
            x=alt.X("half_hour:O", title=None, scale=alt.Scale(domain=halves), axis=_hours()),
            y=alt.Y("weekday:O", title=None, scale=alt.Scale(domain=_WEEKDAYS), axis=alt.Axis(ticks=False)),
            color=alt.Color(
                "offered:Q", scale=alt.Scale(domain=[0, highest], range=STEPS, type="quantize"), legend=None
            ),
            tooltip=[
                alt.Tooltip("weekday:O", title="on"),
                alt.Tooltip("half_hour:O", title="from"),
                alt.Tooltip("offered:Q", title="offered", format=",.1f"),
                alt.Tooltip("days:Q", title="average of days"),
            ],
        )
        .properties(height=133)
    )
    return _finished(chart, f"{queue}: conversations offered by weekday and half hour")


def service_level(rows: list[Row]) -> Spec:
    """A grid of queues and days, with the service level in each cell."""
    values = [{**row, "level": _level(row), "day": row["day"].isoformat()} for row in rows]
    days = sorted({row["day"] for row in rows})
    labels = {each.isoformat(): _short_day(each, days) for each in days}
    queues = sorted({row["queue"] for row in rows})
    base = alt.Chart(_data(values)).encode(
        x=alt.X(
            "day:O",
            title=None,
            axis=alt.Axis(
                ticks=False,
                labelAngle=0,
                labelExpr=f"{labels}[datum.value]",
                labelOverlap=False,
                labelLineHeight=12,
            ),
        ),
        y=alt.Y("queue:N", title=None, sort=queues, axis=alt.Axis(ticks=False, labelLimit=110)),
        tooltip=[
            alt.Tooltip("queue:N"),
            alt.Tooltip("day:N"),
            alt.Tooltip("service_level:Q", title="service level", format=".1%"),
            alt.Tooltip("target:Q", format=".0%"),
        ],
    )
    scale = alt.Scale(domain=list(LEVELS), range=[f"var(--{name})" for name in LEVELS.values()])
    cells = base.mark_rect(stroke="var(--card)", strokeWidth=1).encode(
        color=alt.Color("level:N", scale=scale, legend=None)
    )
    numbers = base.mark_text(fontSize=10, color="var(--ink)").encode(
        text=alt.condition("isValid(datum.service_level)", alt.Text("percent:N"), alt.value(words.MISSING))
    )
    percent = "isValid(datum.service_level) ? format(datum.service_level * 100, '.0f') : null"
    chart = alt.layer(cells, numbers.transform_calculate(percent=percent)).properties(height=26 * len(queues))
    return _finished(chart, "Service level in percent by queue and day")


def status(rows: list[Row]) -> Spec:
    """A bar for each agent, divided by routing status."""
    names = statuses(rows)
    order = {label: number for number, label in enumerate(names)}
    values = [{**row, "label": _label(row), "order": order[_label(row)]} for row in rows]
    agents = list(dict.fromkeys(row["agent"] for row in rows))
    chart = (
        alt.Chart(_data(values))
        .mark_bar(height=alt.RelativeBandSize(0.78))
        .encode(
            x=alt.X(
                "share:Q",
                title=None,
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format=".0%", tickCount=5),
            ),
            y=alt.Y("agent:N", title=None, sort=agents, axis=alt.Axis(ticks=False, labelLimit=130)),
            color=alt.Color(
                "label:N",
                scale=alt.Scale(domain=list(names), range=[f"var(--{name})" for name in names.values()]),
                legend=None,
            ),
            order=alt.Order("order:Q"),
            tooltip=[
                alt.Tooltip("agent:N"),
                alt.Tooltip("label:N", title="status"),
                alt.Tooltip("hours:Q", format=",.1f"),
                alt.Tooltip("share:Q", title="share of the agent's time", format=".1%"),
            ],
        )
        .properties(height=22 * len(agents))
    )
    return _finished(chart, "Share of time by routing status, for each agent")


def statuses(rows: list[Row]) -> dict[str, str]:
    """The statuses in some rows: label → color."""
    found = {_label(row) for row in rows}
    known = {label: color for label, color in _STATUSES.values() if label in found}
    return known | dict.fromkeys(sorted(found - set(known)), "other")


def _label(row: Row) -> str:
    return _STATUSES.get(row["status"], (row["status"], ""))[0]


def _level(row: Row) -> str:
    if row["service_level"] is None or row["target"] is None:
        return "no service level or target"
    gap = row["service_level"] - row["target"]
    return "target met" if gap >= 0 else "missed by up to 10 points" if gap >= -_NEAR else "missed by more"


def _short_day(value: date, days: list[date]) -> list[str]:
    """The weekday's first letters and the day, and the month where it begins."""
    lines = [f"{value:%a}"[:2], str(value.day)]
    return [*lines, f"{value:%b}"] if value == days[0] or value.day == 1 else lines


def _data(rows: list[Row]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _hours() -> alt.Axis:
    return alt.Axis(
        labelAngle=0,
        values=[f"{hour:02}:00" for hour in range(0, 24, 3)],
        labelOverlap=True,
        labelSeparation=6,
        grid=False,
    )


def _finished(chart: alt.Chart | alt.LayerChart, description: str) -> Spec:
    styled = chart.properties(
        width="container",
        description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    ).configure(
        background="transparent",
        font=_FONT,
        padding={"left": 0, "top": 4, "right": 4, "bottom": 2},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor="var(--ink)",
            domainColor="var(--line)",
            gridColor="var(--line)",
            tickColor="var(--line)",
            labelFontSize=11,
            domain=False,
        ),
    )
    with alt.data_transformers.enable("default", consolidate_datasets=False):
        spec: Spec = styled.to_dict()
    return spec
