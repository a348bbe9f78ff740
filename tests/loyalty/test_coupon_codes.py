"""Codes: hard to guess, easy to read out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.coupons import codes

bodies = st.text(codes.ALPHABET, min_size=codes.RANDOM, max_size=codes.RANDOM)
whole = bodies.map(lambda body: body + codes.check_symbol(body))


def test_a_code_has_sixty_random_bits_and_a_check_symbol():
    assert codes.RANDOM * 5 >= 60
    made = codes.random_codes(500)
    assert len(set(made)) == 500
    assert all(codes.well_formed(code) for code in made)
    assert set("".join(made)) == set(codes.ALPHABET)


@given(whole, st.integers(0, codes.LENGTH - 1), st.sampled_from(codes.ALPHABET))
def test_one_wrong_symbol_is_noticed(code, place, symbol):
    wrong = code[:place] + symbol + code[place + 1 :]
    assert codes.well_formed(wrong) == (wrong == code)


@given(whole, st.integers(0, codes.LENGTH - 2))
def test_two_swapped_neighbours_are_noticed(code, place):
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert codes.well_formed(swapped) == (swapped == code)


@given(whole)
def test_what_is_shown_is_read_again(code):
    assert codes.canonical(codes.shown(code)) == code
    assert codes.canonical(f"  {codes.shown(code).lower().replace('-', ' – ')} ") == code
    assert codes.canonical(codes.shown(code).replace("0", "O").replace("1", "l")) == code


@pytest.mark.parametrize("typed", ["", "  ", "--", "Ä5", "ab", "a" * 41, "AMSEL!", "код123"])
def test_what_can_be_no_code_is_none(typed):
    assert codes.canonical(typed) == ""


def test_a_code_that_was_thought_of_is_shown_as_it_is():
    assert codes.canonical("Amsel-26") == "AMSE126"
    assert codes.shown("AMSE126") == "AMSE126"
