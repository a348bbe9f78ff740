"""Everything that is known about a person: to read (Art. 15 GDPR) and to take along (Art. 20).

Follows the registry, so what is classified is also handed out. The number of queries does not depend on the history.
"""

import csv
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.utils.functional import Promise
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import display, keyed, plugins
from crm.models import ContactPoint, Customer, Source, Suppression
from crm.privacy import persons, registry
from crm.privacy.registry import Table
from crm.privacy.sections import Section
from crm.privacy.vocabulary import Vocabulary, vocabulary

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")
BOM = b"\xef\xbb\xbf"


def collect(customer: Customer) -> list[Section]:
    """All sections about a person, those without rows left out."""
    person = persons.person_of(customer)
    words = vocabulary()
    found = [section_of(table, person, words) for table in registry.of_customers()]
    found += [suppressions(person), refused(person), recipients()]
    found += plugins.collect(lambda plugin: plugin.export(customer, person.ids))
    return [section for section in found if section.machine]


def section_of(table: Table, person: persons.Person, words: Vocabulary) -> Section:
    withheld = table.withheld.split()
    names = [one.attname for one in table.model_class._meta.concrete_fields if one.name not in withheld]
    more = [lookup for lookup, _label in table.shown if lookup not in (*names, "pk")]
    records = list(table.rows(person.ids, person.keys).values(*names, *more))
    columns = [str(label) for _lookup, label in table.shown]
    labels = {lookup: words.get(f"{table.model}.{lookup}") or choices_of(table, lookup) for lookup, _label in table.shown}
    key = table.model_class._meta.pk.attname
    rows = [
        [worded(row[key if lookup == "pk" else lookup], labels[lookup]) for lookup, _label in table.shown]
        for row in records
    ]
    return Section(table.model.split(".")[1].lower(), str(table.title), columns, rows, records)


def choices_of(table: Table, lookup: str) -> dict[Any, str]:
    try:
        return dict(table.model_class._meta.get_field(lookup).flatchoices)  # type: ignore[union-attr]
    except (FieldDoesNotExist, AttributeError):
        return {}


def worded(value: Any, labels: Mapping[Any, str | Promise]) -> str:
    """A stored value as a person reads it; "" for what is not known."""
    if value is None or value == "":
        return ""
    if value in labels if isinstance(value, str | int) else False:
        return str(labels[value])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return display.instant(value) or ""
    if isinstance(value, date):
        return display.day(value) or ""
    if isinstance(value, Decimal | float):
        return display.number(value, places_of(Decimal(str(value)))) or ""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {worded(item, {})}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(worded(item, labels) for item in value)
    return str(value)


def places_of(value: Decimal) -> int:
    """Decimals that say something, at most four; two for what is stored as an amount of money, unless it is whole."""
    places = max(0, min(4, -int(value.normalize().as_tuple().exponent)))
    return 2 if places == 1 and value.as_tuple().exponent == -2 else places


def suppressions(person: persons.Person) -> Section:
    """Addresses that get no advertising, as far as they are this person's."""
    points = ContactPoint.objects.filter(customer__in=person.ids).exclude(kind=ContactPoint.Kind.SOCIAL)
    by_hash = {keyed.address_hash(point.normal): point.value for point in points}
    found = Suppression.objects.filter(address_hash__in=by_hash).order_by("created_at")
    columns = [_("Since"), _("Address or number"), _("Reason"), _("Lifted")]
    rows = [
        [worded(one.created_at, {}), by_hash[one.address_hash], one.get_reason_display(), worded(one.lifted_at, {})]
        for one in found
    ]
    return Section("suppression", _("Addresses without advertising"), columns, rows)


def refused(person: persons.Person) -> Section:
    records: list[Any] = list(person.refused_rows().values("received_at", "source__name", "external_id", "payload", "errors"))
    columns = [_("When"), _("System"), _("Row"), _("Content")]
    rows = [
        [worded(row["received_at"], {}), row["source__name"], row["external_id"], worded(row["payload"], {})]
        for row in records
    ]
    return Section("refused", _("Rows that could not be taken"), columns, rows, records)


def recipients() -> Section:
    """Who gets or brings data (Art. 15(1)(c) and (g) GDPR)."""
    carrier = getattr(settings, "EMAIL_HOST", "") or settings.EMAIL_BACKEND.split(".")[-2]
    rows = [[name, _("brings purchases and customers")] for name in Source.objects.values_list("name", flat=True)]
    rows.append([carrier, _("carries the mails")])
    return Section("recipients", _("Recipients and sources"), [_("Who"), _("What for")], rows)


def archive(customer: Customer) -> bytes:
    """The machine form: a ZIP with data.json, and each section once more as CSV. Nothing is written to disk."""
    sections = collect(customer)
    whole = {"customer": customer.number, "made_at": now(), "sections": {one.code: one.machine for one in sections}}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("data.json", orjson.dumps(whole, default=str, option=orjson.OPT_INDENT_2))
        for one in sections:
            files.writestr(f"{one.code}.csv", BOM + table_of(one.machine).encode())
    return packed.getvalue()


def table_of(records: Iterable[dict[str, Any]]) -> str:
    """Rows as CSV that no spreadsheet takes for formulas."""
    rows = list(records)
    text = StringIO()
    writer = csv.writer(text)
    if rows:
        writer.writerow([safe(name) for name in rows[0]])
    for row in rows:
        writer.writerow([safe(value) for value in row.values()])
    return text.getvalue()


def safe(value: Any) -> Any:
    """A cell: texts that a spreadsheet would compute get an apostrophe before them (CWE-1236)."""
    if isinstance(value, dict | list):
        value = orjson.dumps(value, default=str).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(DANGEROUS):
        return "'" + value
    return value
