"""A sheet of coupons as PDF, eight cards to an A4 page, where WeasyPrint is installed (the extra `pdf`)."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import get_language

from crm.models import Shop
from loyalty.models import CouponBatch

CARDS = 8
LOOK = settings.BASE_DIR / "templates" / "coupons" / "sheet.css"


class NoPdf(Exception):
    """WeasyPrint, or a library of the system that it needs (Pango), is not installed."""


def offered() -> bool:
    """Whether WeasyPrint is there. Does not import it: that takes a second."""
    return find_spec("weasyprint") is not None


def sheet(batch: CouponBatch, codes: Sequence[Mapping[str, Any]], worth: str) -> bytes:
    """The PDF of these codes, each a mapping with shown, qr and terms as `coupons/print.html` takes them.

    Fetches nothing from anywhere. Raises NoPdf.
    """
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise NoPdf from error
    pages = [codes[first : first + CARDS] for first in range(0, len(codes), CARDS)]
    context = {"batch": batch, "pages": pages, "worth": worth, "shop": Shop.current(), "language": get_language()}
    page = render_to_string("coupons/sheet.html", context)
    look = weasyprint.CSS(string=LOOK.read_text(encoding="utf-8"), url_fetcher=_refuse)
    made: bytes = weasyprint.HTML(string=page, url_fetcher=_refuse).write_pdf(stylesheets=[look])
    return made


def _refuse(url: str, *_more: Any, **_named: Any) -> Any:
    raise ValueError("a sheet needs nothing from elsewhere")
