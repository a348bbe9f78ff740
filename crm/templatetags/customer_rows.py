"""The rows of the customer list: {% load customer_rows %}.

Written here, not in a template: a page has fifty, and the engine takes longer for them than the database does.
"""

from collections.abc import Hashable, Sequence
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from crm import once
from crm.plugins import Column
from crm.templatetags.kit import icon, or_unknown

register = template.Library()

ROW = """<tr>
  <th scope="row"><span class="customers-name"><a class="sk-person" href="{}">{}</a>{}<span class="customers-number sk-small sk-soft">{}</span></span></th>
  {}
</tr>"""
CELL = '<td data-label="{}"><span>{}</span></td>'


@register.simple_tag(takes_context=True)
def cell(context: template.Context, column: Column, customer: Any) -> SafeString:
    """An upper app's column for one customer; cells that must be alike are rendered once a page (`Column.alike`)."""
    if column.alike is None:
        return _rendered(context, column, customer)
    # Not kept in the context: an included template, as a row of Today is, has one of its own.
    known: dict[Hashable, SafeString] | None = once.remembered("cells", dict)
    if known is None:
        return _rendered(context, column, customer)
    key = (column.code, column.alike(customer))
    if key not in known:
        known[key] = _rendered(context, column, customer)
    return known[key]


def _rendered(context: template.Context, column: Column, customer: Any) -> SafeString:
    with context.push(customer=customer):
        return context.template.engine.get_template(column.template).render(context)  # type: ignore[union-attr]


@register.simple_tag(takes_context=True)
def customer_rows(context: template.Context, customers: Sequence[Any], columns: Sequence[Column]) -> SafeString:
    """One <tr> a customer: name and what to know first, the upper apps' columns, town, e-mail, who looks after them.

    Each customer is as `crm.views.customers.complete` leaves it.
    """
    labels = (gettext("Town"), gettext("E-mail"), gettext("Looked after by"))
    none = format_html('<span class="sk-unknown">{}</span>', gettext("none"))
    nobody = format_html('<span class="sk-soft">{}</span>', gettext("nobody"))
    heads = [conditional_escape(str(column.label)) for column in columns]
    rows = []
    for customer in customers:
        name, cells = customer.display_name, [cell(context, column, customer) for column in columns]
        email = format_html('<span class="customers-email">{}</span>', customer.email) if customer.email else none
        own = (or_unknown(customer.city), email, customer.assigned_to or nobody)
        below = format_html_join("", CELL, zip((*heads, *labels), (*cells, *own), strict=True))
        address = reverse("customer", args=[customer.pk])
        number = customer.number if name != customer.number else customer.known_as
        rows.append((address, name, _marks(customer), number, below))
    return format_html_join("\n", ROW, rows)


def _marks(customer: Any) -> SafeString:
    """The company of a person, an open complaint, a test account."""
    marks = []
    if customer.company_name and customer.family_name:
        marks.append(format_html(' <span class="sk-small sk-soft">{}</span>', customer.company_name))
    if customer.open_complaint:
        marks.append(_badge("alert-circle", " is-bad", gettext("open complaint")))
    if customer.is_test:
        marks.append(_badge("info-circle", "", gettext("test")))
    return format_html_join("", "{}", ((mark,) for mark in marks))


def _badge(sign: str, tone: str, word: str) -> SafeString:
    return format_html(' <span class="sk-badge{}">{}{}</span>', tone, icon(sign), word)
