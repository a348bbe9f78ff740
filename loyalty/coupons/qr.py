"""A code as a QR picture (ISO/IEC 18004), drawn as SVG without colour of its own."""

import segno
from django.utils.safestring import SafeString, mark_safe


def svg(code: str) -> SafeString:
    """The picture as an <svg> element for a page; `currentColor` on a white ground, with the quiet zone it needs."""
    drawn = segno.make_qr(code, error="m").svg_inline(
        scale=4, border=4, dark="#000", light="#fff", svgclass="coupon-qr", lineclass=None, omitsize=True
    )
    return mark_safe(drawn)  # noqa: S308 - segno writes numbers and paths only
