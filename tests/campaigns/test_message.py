"""Mails as bytes, read again by the email package."""

from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.message import StableMessage
from campaigns.transport import in_ascii


def made(
    subject: str = "Hallo", text: str = "Text", html: str = "<p>x</p>", sender: str = "Kim <kim@shop.test>"
) -> StableMessage:
    mail = StableMessage(subject, text, sender, ["anna@example.test"], headers={"X-Delivery-ID": "1"})
    mail.attach_alternative(html, "text/html")
    mail.boundary = "=_b"
    return mail


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)


@given(subject=LINES, text=st.lists(LINES, max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_goes_in_comes_out(subject: str, text: list[str]) -> None:
    subject, body = " ".join(subject.split()), "\n".join(text)
    read = message_from_bytes(made(subject, body, body).wire, policy=policy.default)
    assert " ".join(str(read["Subject"]).split()) == subject
    for kind in ("plain", "html"):
        assert read.get_body((kind,)).get_content().split("\r\n") == (body.splitlines() or [""])


def test_lines_are_short_and_of_seven_bits() -> None:
    wire = made("Ä" * 300, "ü" * 5000 + "\n.\n..x", "<p>" + "ß" * 9000, "Jördis Weiß <kim@shop.test>").wire
    assert wire.isascii() and all(len(line) <= 998 for line in wire.split(b"\r\n"))
    assert b"\n" not in wire.replace(b"\r\n", b"")
    read = message_from_bytes(wire, policy=policy.default)
    assert read["From"].addresses[0].display_name == "Jördis Weiß"
    assert read.get_body(("plain",)).get_content().endswith("\r\n.\r\n..x")


@pytest.mark.parametrize("evil", ["x\r\nBcc: a@b.test", "x\nBcc: a@b.test", "x\rBcc: a@b.test", "ü\r\nBcc: a@b.test"])
def test_a_line_break_in_a_header_is_refused_or_harmless(evil: str) -> None:
    try:
        wire = made(evil).wire
    except ValueError:
        return
    assert message_from_bytes(wire, policy=policy.default)["Bcc"] is None


@pytest.mark.parametrize(
    ("address", "carried"),
    [
        ("anna@example.test", "anna@example.test"),
        ("Anna.B+x=1@Shop.Example.test", "Anna.B+x=1@Shop.Example.test"),
        ("Anna <anna@example.test>", "anna@example.test"),
        ("anna@müller.test", "anna@xn--mller-kva.test"),
        ("anna@localhost", "anna@localhost"),
    ],
)
def test_addresses_as_smtp_carries_them(address: str, carried: str) -> None:
    assert in_ascii(address) == carried


@pytest.mark.parametrize(
    "address", ["anna", "änna@example.test", "a b@example.test", "a@x..test", f"a@{'x' * 64}.test"]
)
def test_addresses_that_smtp_cannot_carry(address: str) -> None:
    with pytest.raises(ValueError, match=r"mailed|label"):
        in_ascii(address)


def test_a_line_break_at_the_end_of_one_header_does_not_hide_before_the_next() -> None:
    with pytest.raises(ValueError, match="line break"):
        made("x\r\n", sender="Jördis Weiß <kim@shop.test>").wire
