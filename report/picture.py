"""Draws the head of the page as a PNG, with vl-convert and without a browser."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

import vl_convert

from report import charts, palette, words

if TYPE_CHECKING:
    from report.charts import Spec
    from report.queries import Numbers

_WIDTH = 760
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(numbers: Numbers) -> bytes:
    """Return tiles, the profile, the busiest queue's week and the service levels, one below the other."""
    parts = [_tiles(numbers)]
    if numbers.profile:
        parts.append(_titled(charts.profile(numbers.profile), words.profile_title(numbers.profile)))
    if numbers.heat:
        queue = numbers.heat[0]["queue"]
        rows = [row for row in numbers.heat if row["queue"] == queue]
        chart = charts.heat(rows, max(row["offered"] for row in rows), queue)
        parts.append(_titled(chart, f"{queue}: {words.queue_peak(rows)}"))
    if numbers.service_level:
        parts.append(_titled(charts.service_level(numbers.service_level), words.service_level_title(numbers)))
    config = charts.profile([])["config"]
    spec: Spec = {
        "vconcat": parts,
        "spacing": 24,
        "resolve": {"scale": {"color": "independent", "x": "independent"}},
    }
    spec["config"] = {**config, "background": "#ffffff", "padding": 16}
    return compressed(draw(spec, scale=1.5))


def draw(spec: Spec, *, dark: bool = False, scale: float = 1.0) -> bytes:
    """Draw a chart as PNG, in one of the two color schemes."""
    text = palette.resolved(json.dumps(spec, default=str), palette.DARK if dark else palette.LIGHT)
    found: bytes = vl_convert.vegalite_to_png(text, scale=scale)
    return found


def compressed(png: bytes) -> bytes:
    """The same picture in a quarter of the bytes: vl-convert compresses fast, not well."""
    parts, place = [], len(_SIGNATURE)
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        parts.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + size]))
        place += size + 12
    pixels = zlib.decompress(b"".join(content for kind, content in parts if kind == b"IDAT"))
    (header,) = (content for kind, content in parts if kind == b"IHDR")
    written = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in written
    )


def fixed(spec: Spec, width: int = _WIDTH) -> Spec:
    """The chart with a width of its own, because there is no place to be as wide as."""
    return {**spec, "width": width, "autosize": {"type": "fit-x", "contains": "padding"}}


def _titled(spec: Spec, title: str) -> dict[str, Any]:
    left_out = {"config", "autosize", "$schema"}
    inner = {name: value for name, value in spec.items() if name not in left_out}
    style = {
        "text": title,
        "anchor": "start",
        "fontSize": 15,
        "offset": 10,
        "color": "var(--ink)",
        "frame": "group",
    }
    return {**inner, "width": _WIDTH, "title": style}


def _tiles(numbers: Numbers) -> dict[str, Any]:
    totals, occupancy = numbers.totals, numbers.occupancy
    tiles = [
        ("Offered", words.count(totals["offered"]), f"answered {words.share(totals['answer_rate'])}"),
        (
            "Abandon rate",
            words.share(totals["abandon_rate"]),
            f"{words.count(totals['abandoned'])} abandoned",
        ),
        ("Service level", words.share(totals["service_level"]), f"target {words.target(totals)}"),
        (
            "Handle time",
            words.duration(totals["average_handle_seconds"]),
            f"{words.count(totals['handled'])} handled",
        ),
        ("Occupancy", words.share(occupancy["occupancy"] if occupancy else None), "of time on queue"),
    ]
    values = [
        {"x": number * (_WIDTH + 12) / len(tiles), "text": text, "y": y, "size": size, "kind": kind}
        for number, tile in enumerate(tiles)
        for text, y, size, kind in zip(
            tile, (10, 36, 60), (12, 22, 11), ("quiet", "ink", "quiet"), strict=True
        )
    ]
    layers = [
        {
            "transform": [{"filter": f"datum.y == {y}"}],
            "mark": {
                "type": "text",
                "align": "left",
                "fontSize": size,
                "fontWeight": weight,
                "color": f"var(--{kind})",
            },
            "encoding": {
                "x": {"field": "x", "type": "quantitative", "scale": {"domain": [0, _WIDTH]}, "axis": None},
                "y": {
                    "field": "y",
                    "type": "quantitative",
                    "scale": {"domain": [0, 70], "reverse": True},
                    "axis": None,
                },
                "text": {"field": "text"},
            },
        }
        for y, size, weight, kind in (
            (10, 12, "normal", "quiet"),
            (36, 22, "bold", "ink"),
            (60, 11, "normal", "quiet"),
        )
    ]
    return {"data": {"values": values}, "width": _WIDTH, "height": 70, "layer": layers}
