"""Charts: plain numbers in, readable SVG out, whatever the numbers are."""

import re

import pytest
from django.utils.html import conditional_escape

from loyalty.charts import (
    NARROW,
    WIDE,
    Interval,
    Line,
    Part,
    areas,
    bars,
    columns,
    intervals,
    lines,
    plain,
    runs,
    short,
    spread,
    stairs,
    ticks,
)

MONTHS = [f"M{at}" for at in range(36)]
LONG = "Kundin mit einem ausgesprochen langen Gruppennamen"


def svg(drawing):
    return "".join(conditional_escape(mark) for mark in drawing.marks)


def charts_of(n):
    """Every chart over `n` labels, with gaps and a nasty name."""
    months = MONTHS[:n]
    known = [None if at % 5 == 3 else 10.0 * at for at in range(n)]
    bands = [None if value is None else (value - 4, value + 4) for value in known]
    parts = [Part("Gäste <b>", [at for at in range(n)], "s1"), Part("Loyal", [3] * n, "s4")]
    rows = [Interval(LONG, 1.0, 0.2, 1.8, "n = 8", True)] * n
    steps = [(f"Step {at}", at, f"s{at % 6}") for at in range(n)]
    moves = [(at, at + 1, 4) for at in range(n - 1)] + [(at + 1, at, 2) for at in range(n - 1)]
    return [
        lines(months, [Line("a", known, "berry", bands), Line(LONG, [2.0] * n, "iron")], low=None),
        areas(months, parts),
        columns(months, parts),
        columns(months, parts, share=True),
        intervals([*rows, Interval("Zu wenige", None, words="zu wenige Antworten")], reference=(0.1, 0.3, "Laden")),
        stairs(steps, moves),
        bars([(LONG, [at, 0, 2]) for at in range(n)], [("a", "s0"), ("b", "s1"), ("c", "f-none")]),
        bars([(LONG, [0, 0])] * n, [("a", "s0"), ("b", "s1")]),
    ]


@pytest.mark.parametrize("n", [0, 1, 2, 6, 36])
def test_every_chart_can_be_drawn_from_any_number_of_values(n):
    for chart in charts_of(n):
        for drawing, width in ((chart.wide, WIDE), (chart.narrow, NARROW)):
            text = svg(drawing)
            assert drawing.width == width
            assert "None" not in text and "nan" not in text and "inf" not in text
            assert "<b>" not in text


def test_nothing_but_nothings_can_be_drawn_too():
    text = svg(lines(MONTHS[:3], [Line("a", [None, None, None])]).wide)
    assert "M0" in text
    text = svg(columns(MONTHS[:3], [Part("a", [0, 0, 0], "s0")], share=True).wide)
    assert "<rect" not in text


def test_no_colour_and_no_style_is_written():
    for chart in charts_of(6):
        assert not re.search(r'style=|#[0-9a-f]{3}|fill="|stroke="', svg(chart.wide))


def test_a_gap_breaks_the_line():
    assert runs([1, 2, None, 4, None, 6, 7]) == [[0, 1], [3], [5, 6]]


def test_ticks_are_round_and_hold_everything():
    assert ticks(0, 4812, whole=True) == [0, 1000, 2000, 3000, 4000, 5000]
    assert ticks(0, 3, whole=True) == [0, 1, 2, 3]
    assert ticks(0.31, 0.44)[0] <= 0.31 and ticks(0.31, 0.44)[-1] >= 0.44
    assert ticks(5, 5) == [5, 5.2, 5.4, 5.6, 5.8, 6]


def test_labels_at_line_ends_do_not_cover_each_other():
    placed = spread([100, 101, 102, 20], 16)
    assert all(abs(a - b) >= 16 for i, a in enumerate(placed) for b in placed[i + 1 :])


def test_numbers_are_written_for_svg_in_every_language():
    assert (plain(1.25), plain(3.0), plain(7)) == ("1.2", "3", "7")


def test_a_name_too_long_for_its_place_is_cut():
    assert short("Stammkunde") == "Stammkunde"
    assert short(LONG).endswith("…")
    text = svg(stairs([(LONG, 1, "s0")] * 6, []).wide)
    assert LONG not in text


def test_a_bar_fills_its_row_whatever_its_parts():
    drawn = bars([("a", [1, 3]), ("b", [10, 0])], [("x", "s0"), ("y", "s1")]).wide
    widths = [float(dict(one.at)["width"]) for one in drawn.marks if one.tag == "rect"]
    assert round(widths[0] + widths[1], 3) == round(widths[2], 3)
