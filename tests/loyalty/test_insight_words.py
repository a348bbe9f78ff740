"""Sentences of the insights pages are right for nobody, one and many, in both languages."""

from collections import Counter
from datetime import date

import pytest
from django.utils import translation

from loyalty.overview import Share
from loyalty.views.bond import known_note
from loyalty.views.migration import flow_note, flow_title
from loyalty.views.voice_tiles import expectation, tiles
from loyalty.voices import Mean, Nps, Voices

SEPTEMBER = date(2026, 9, 1)


@pytest.mark.parametrize(
    ("language", "moves", "title"),
    [
        ("de", {(2, 1): 12}, "Niemand steht höher als Ende September 2026, 12 tiefer"),
        ("de", {(1, 2): 1}, "1 Mensch steht höher als Ende September 2026, niemand tiefer"),
        ("de", {(1, 2): 2, (2, 1): 1}, "2 Menschen stehen höher als Ende September 2026, 1 tiefer"),
        ("en", {(2, 1): 1}, "Nobody stands higher than at the end of September 2026, 1 lower"),
        ("en", {(1, 1): 3}, "Nobody moved since the end of September 2026"),
    ],
)
def test_who_rose_and_who_fell(language, moves, title):
    with translation.override(language):
        assert flow_title(Counter(moves), SEPTEMBER) == title


@pytest.mark.parametrize(
    ("stayed", "new", "german"),
    [
        (0, 0, "Niemand blieb auf seiner Stufe, niemand ist neu."),
        (1, 1, "1 Mensch blieb auf seiner Stufe, 1 ist neu und nicht gezeichnet."),
        (3, 2, "3 Menschen blieben auf ihrer Stufe, 2 sind neu und nicht gezeichnet."),
    ],
)
def test_who_stayed_and_who_is_new(stayed, new, german):
    with translation.override("de"):
        assert flow_note(stayed, new).startswith(german)


def test_nobody_is_unknown_only_where_somebody_is():
    with translation.override("de"):
        assert known_note(12, 0) == "n = 12"
        assert "bei 1 Käufer ist die Bindung unbekannt" in known_note(12, 1)
        assert "bei 2 Käufern ist die Bindung unbekannt" in known_note(12, 2)


@pytest.mark.parametrize(("n", "people"), [(1, "1 Kunde"), (2, "2 Kunden")])
def test_a_voice_is_one_customer_and_two_are_customers(n, people):
    said = Voices(365, Nps(n, 0, n), Share(n, n), Mean(9.0, None, n), Mean(2.0, None, n), 0, 0, n, Share(0, n))
    with translation.override("de"):
        told = [words.split(", ")[-1] for name, _value, words, _url in tiles({}, "short", said)[1:]]
        assert told == [people] * 4
        asked = "von 1 Kunden, der gefragt wurde" if n == 1 else "von 2 Kunden, die gefragt wurden"
        assert asked in expectation(said)
