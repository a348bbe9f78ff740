"""Geometry of the pictures: threads, bolt, scale, shares."""

import re

import pytest
from django.template import Context, Template
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.templatetags import pictures

SCORE = st.floats(0, 100)


def drawn_threads(path: str) -> int:
    return path.count("M14,")


def test_a_thread_is_worth_four_points():
    picture = pictures.bond_geometry(75.5, attitude=68, social=5.6, benefits=1.9)
    assert picture.solid == 19
    assert [drawn_threads(path) for path in (picture.attitude, picture.social, picture.benefits)] == [17, 1, 1]
    assert drawn_threads(picture.loose) == 6


@settings(max_examples=50)
@given(attitude=SCORE, social=SCORE, benefits=SCORE)
def test_there_are_always_25_threads(attitude, social, benefits):
    bond = min(100, attitude + social + benefits)
    picture = pictures.bond_geometry(bond, attitude, social, benefits)
    paths = (picture.attitude, picture.social, picture.benefits, picture.loose)
    assert sum(map(drawn_threads, paths)) == 25


def test_an_unknown_bond_has_no_threads_and_no_number():
    with translation.override("en"):
        shown = Template("{% load pictures %}{% bond_picture 'Shop' 'Anna' None lock_in=None %}").render(Context())
    assert "Bond unknown, lock-in unknown" in shown
    assert "f-berry" not in shown
    assert "t-huge" not in shown


def test_the_bolt_is_pushed_as_far_as_the_lock_in_and_its_strongest_part_comes_first():
    picture = pictures.bond_geometry(50, 50, lock_in=40, lock_parts=[4, 36])
    assert picture.bars == [(14, 146.9), (162.9, 14.3)]
    assert sum(picture.bars[-1]) == pytest.approx(14 + 0.4 * 408, abs=0.1)


@settings(max_examples=50)
@given(parts=st.lists(st.floats(0, 100), max_size=5))
def test_the_bolt_never_leaves_its_channel(parts):
    lock_in = min(100, sum(parts))
    for x, width in pictures.bond_geometry(50, 50, lock_in=lock_in, lock_parts=parts).bars:
        assert 14 <= x and x + width <= 422.1 and width > 0


def test_the_bolt_touches_its_keeper_only_at_100():
    assert not pictures.bond_geometry(50, 50, lock_in=99.4).touches
    assert pictures.bond_geometry(50, 50, lock_in=100).touches


def test_numbers_in_a_picture_are_written_for_svg_in_any_language():
    source = "{% load pictures %}{% bond_picture 'A' 'B' 61.5 60 1 0.5 33.5 parts %}{% nev_scale 3.4 a 1.5 4.1 0.3 %}"
    with translation.override("de"):
        shown = Template(source).render(Context({"parts": [30, 3.5], "a": [1.5, 2.5]}))
    attributes = re.findall(r'\s(?:x|y|cx|cy|width|height|r|rx)="([^"]*)"', shown)
    assert attributes and all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in attributes)
    assert "+3,4 ± 1,5" in shown


@pytest.mark.parametrize(("value", "x"), [(-10, 16), (0, 218), (10, 420), (14, 420)])
def test_the_scale_runs_from_minus_ten_to_plus_ten(value, x):
    assert pictures.scale_x(value) == x


def test_shares_fill_the_bar_and_an_empty_whole_divides_by_nothing():
    filled = pictures.shares_of([("a", 1, "s0"), ("b", 3, "s1", "?b")])
    assert [(share.x, share.width) for share in filled] == [(0, 25), (25, 75)]
    assert filled[1].url == "?b"
    assert [share.width for share in pictures.shares_of([("a", 0, "s0")])] == [0]


def test_a_name_in_a_picture_is_escaped():
    source = "{% load pictures %}{% bond_picture shop name 10 10 %}"
    shown = Template(source).render(Context({"shop": "A & B", "name": "<script>x"}))
    assert "<script>" not in shown and "A &amp; B" in shown
