"""Coupons on paper: as PDF where WeasyPrint is installed, and a page to print where it is not."""

import sys

import pytest
from django.test import Client
from django.utils import translation

from loyalty.coupons import issuing, pages, pdf
from loyalty.coupons.issuing import Wanted
from tests.factories import UserFactory
from tests.loyalty.coupons import batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(UserFactory(role="marketer"), backend="django.contrib.auth.backends.ModelBackend")
    return client


def codes(count: int):
    made = batch(minimum=20, note="<b>Nur</b> im Laden.")
    issuing.issue(made, [Wanted()] * count)
    return made


def test_without_weasyprint_there_is_a_page_to_print_and_no_button(staff, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    monkeypatch.setattr(pdf, "find_spec", lambda name: None)
    made = codes(1)
    assert "sheet.pdf" not in staff.get(f"/coupons/batches/{made.pk}/").content.decode()
    answer = staff.get(f"/coupons/batches/{made.pk}/sheet.pdf", follow=True)
    assert answer.redirect_chain == [(f"/coupons/batches/{made.pk}/print/", 302)]
    with translation.override("de"):
        assert "requirements/pdf.txt" in answer.content.decode()


def test_a_broken_weasyprint_is_as_good_as_none(staff, monkeypatch, tmp_path):
    """Installed, but a library of the system is missing: the import fails with OSError."""
    (tmp_path / "weasyprint.py").write_text("raise OSError('cannot load library libpango')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    made = codes(1)
    assert "sheet.pdf" in staff.get(f"/coupons/batches/{made.pk}/").content.decode()
    assert staff.get(f"/coupons/batches/{made.pk}/sheet.pdf").status_code == 302


def test_with_weasyprint_nine_codes_make_two_pages(staff, monkeypatch):
    weasyprint = pytest.importorskip("weasyprint")
    made = codes(9)
    answer = staff.get(f"/coupons/batches/{made.pk}/sheet.pdf")
    assert answer["Content-Type"] == "application/pdf" and answer.content.startswith(b"%PDF-")
    assert "attachment" in answer["Content-Disposition"]
    found, more = pages._cards(made)
    assert (len(found), more) == (9, 0)
    drawn = []

    def counted(page, stylesheets):
        drawn.append(len(page.render(stylesheets=stylesheets).pages))
        return b"%PDF-"

    monkeypatch.setattr(weasyprint.HTML, "write_pdf", counted)
    staff.get(f"/coupons/batches/{made.pk}/sheet.pdf")
    assert drawn == [2]


def test_the_sheet_holds_eight_cards_to_a_page_and_no_markup_of_the_merchant():
    from django.template.loader import render_to_string

    cards = [{"shown": "3K37", "qr": "", "terms": "<b>Nur</b> im Laden."}] * 8
    page = render_to_string(
        "coupons/sheet.html", {"pages": [cards], "batch": codes(1), "worth": "5 €", "language": "de"}
    )
    assert page.count('class="card"') == 8 and "<b>" not in page
