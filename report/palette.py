"""The colors of the page, which the color-blind tell apart, in light and dark.

The charts name them as variables of CSS, so that one drawing serves light, dark and paper. What is drawn
without a browser gets their values. Categories are Okabe and Ito's, steps are ColorBrewer's YlGnBu.
"""

from __future__ import annotations

import re

LIGHT = {
    "page": "#f5f6f8", "card": "#ffffff", "ink": "#1b1f24", "quiet": "#59636e", "line": "#d8dde3",
    "offered": "#56b4e9", "answered": "#00527f",
    "step1": "#e3f4dc", "step2": "#b5e2ba", "step3": "#7bc8be", "step4": "#3aa3c1", "step5": "#2672b0",
    "step6": "#253494",
    "met": "#9ecae8", "near": "#fde0b4", "far": "#e08a4a", "none": "#e6e9ed",
    "interacting": "#0072b2", "communicating": "#56b4e9", "idle": "#f0c541", "not-responding": "#d55e00",
    "off-queue": "#b8bfc7", "other": "#cc79a7",
}  # fmt: skip
DARK = {
    "page": "#12161b", "card": "#1b2128", "ink": "#e8ebee", "quiet": "#a3adb8", "line": "#38414b",
    "offered": "#2f7fb0", "answered": "#f0c541",
    "step1": "#22384a", "step2": "#275877", "step3": "#2c7f9e", "step4": "#4cabad", "step5": "#96d3ae",
    "step6": "#f1f3b5",
    "met": "#1f5f8b", "near": "#6d5423", "far": "#a8480f", "none": "#303841",
    "interacting": "#3b9ad6", "communicating": "#9fd6f7", "idle": "#e0b93c", "not-responding": "#e8702a",
    "off-queue": "#5d6772", "other": "#cc79a7",
}  # fmt: skip
STEPS = [f"var(--step{number})" for number in range(1, 7)]


def css(colors: dict[str, str]) -> str:
    """The variables of a color scheme."""
    return " ".join(f"--{name}: {value};" for name, value in colors.items())


def resolved(text: str, colors: dict[str, str]) -> str:
    """A text with the values of the variables instead of their names."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colors[found[1]], text)
