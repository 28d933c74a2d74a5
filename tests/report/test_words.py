"""Numbers, dates and titles, as people read them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from report import palette, words
from report.queries import Period

if TYPE_CHECKING:
    from collections.abc import Callable

DASH = "\u2013"


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (words.count, None, DASH),
        (words.count, 0, "0"),
        (words.count, 1234567, "1,234,567"),
        (words.share, None, DASH),
        (words.share, 0.0, "0.0%"),
        (words.share, 0.8125, "81.2%"),
        (words.duration, None, DASH),
        (words.duration, 0.4, "0s"),
        (words.duration, 59.6, "1m 00s"),
        (words.duration, 305.2, "5m 05s"),
        (words.duration, 7265, "2h 01m"),
        (words.age, -5, "0 minutes"),
        (words.age, 65, "1 minute"),
        (words.age, 7200, "2 hours"),
        (words.age, 200_000, "2 days"),
        (words.few, 12.25, "12.2"),
        (words.few, 13.0, "13"),
        (words.few, 1250.4, "1,250"),
        (words.day, date(2026, 3, 5), "Thu 5 Mar 2026"),
        (words.instant, None, DASH),
    ],
)
def test_numbers_are_formatted_and_what_is_missing_is_a_dash(
    function: Callable[[Any], str], value: object, text: str
) -> None:
    assert function(value) == text


def test_one_day_is_not_a_range() -> None:
    first = date(2026, 3, 5)
    assert words.period(Period(first, first, "UTC")) == "Thu 5 Mar 2026"
    assert words.period(Period(first, date(2026, 3, 6), "UTC")) == "Thu 5 Mar 2026 to Fri 6 Mar 2026"


@pytest.mark.parametrize(
    ("level", "low", "high", "text"),
    [
        (0.8, 0.8, 0.8, "target 80%: met"),
        (0.783, 0.8, 0.8, "target 80%: missed by 1.7 points"),
        (0.783, 0.7, 0.9, "target 70% to 90%"),
        (None, 0.8, 0.8, "target 80%"),
        (0.783, None, None, f"target {DASH}"),
    ],
)
def test_a_service_level_is_compared_with_one_target_only(
    level: float | None, low: float | None, high: float | None, text: str
) -> None:
    row = {"service_level": level, "lowest_target": low, "highest_target": high}
    assert words.against_target(row) == text


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ([], "Nothing is loaded"),
        ([{"gaps": 0, "missing_windows": 0}], "The data is complete: no gaps, and no window lacks rows"),
        (
            [{"gaps": 0, "missing_windows": 0}, {"gaps": 0, "missing_windows": None}],
            "No gaps; rows were counted for 1 of 2 queries",
        ),
        ([{"gaps": 2, "missing_windows": 0}], "Data is missing: 2 gaps"),
        (
            [{"gaps": 1, "missing_windows": 0}, {"gaps": 0, "missing_windows": 3}],
            "Data is missing: 1 gap and 3 incomplete windows",
        ),
    ],
)
def test_the_title_of_the_quality_says_what_is_missing(rows: list[dict[str, Any]], title: str) -> None:
    assert words.quality_title(rows) == title


def _brightness(color: str) -> float:
    """Relative luminance (WCAG)."""
    shares = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in shares]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colors", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_text_is_readable_on_every_ground_and_steps_are_ordered_by_brightness(colors: dict[str, str]) -> None:
    """At least 4.5 to 1; who sees no colors still sees the order."""
    assert set(palette.LIGHT) == set(palette.DARK)
    pairs = [("ink", ground) for ground in ("page", "card", "met", "near", "far", "none")]
    pairs += [("quiet", "page"), ("quiet", "card")]
    for text, ground in pairs:
        low, high = sorted((_brightness(colors[text]), _brightness(colors[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)
    steps = [_brightness(colors[f"step{number}"]) for number in range(1, 7)]
    assert steps in (sorted(steps), sorted(steps, reverse=True))
    assert len({f"{each:.2f}" for each in steps}) == len(steps)
