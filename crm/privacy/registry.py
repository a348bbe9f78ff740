"""What kind of personal data stands in which field, and what becomes of it when the person is erased.

Every model of the installation has one `Table`; an upper app brings its own through `Plugin.personal_data`. A test
fails for a field that no table names, and for a name that is no field. Export and preview read the same tables, so
what is classified is also handed out and counted.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from django.apps import apps
from django.db.models import CASCADE, Field, Model, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm import plugins

Words = str | Promise


class Data(StrEnum):
    """What a field can say about a person."""

    NONE = "none"
    IDENTIFIER = "identifier"
    CONTACT = "contact"
    BIRTH_DATE = "birth_date"
    CONTENT = "content"
    BEHAVIOUR = "behaviour"
    JUDGEMENT = "judgement"
    TECHNICAL = "technical"


class Fate(StrEnum):
    """What an erasure does with the rows of a person."""

    DELETE = "delete"
    PSEUDONYMISE = "pseudonymise"
    KEEP = "keep"
    SEAL = "seal"
    NOT_OF_CUSTOMERS = "not_of_customers"


FATES: dict[Fate, Words] = {
    Fate.DELETE: _("is deleted"),
    Fate.PSEUDONYMISE: _("stays under a random number, without name and free text"),
    Fate.KEEP: _("is kept"),
    Fate.SEAL: _("is sealed: encrypted, and opened for bookkeeping only"),
    Fate.NOT_OF_CUSTOMERS: _("does not concern customers"),
}


@dataclass(frozen=True)
class Table:
    """One model, classified.

    fields: names of its fields by kind of data, parted by spaces; links to other models need no entry
    person: path of a lookup to the customer (or to the person key, if `by` says so); '' for no customer's data
    shown: (lookup, label) of what the readable export shows; the machine form has everything but `withheld` fields
    why, until: reason and end of keeping what is not deleted
    """

    model: str
    fate: Fate
    fields: dict[Data, str] = field(default_factory=dict)
    title: Words = ""
    person: str = ""
    by: Literal["customer", "person_key"] = "customer"
    shown: tuple[tuple[str, Words], ...] = ()
    withheld: str = ""
    order: str = "pk"
    why: Words = ""
    until: Words = ""

    @property
    def model_class(self) -> type[Model]:
        return apps.get_model(self.model)

    @property
    def names(self) -> list[str]:
        return [name for listed in self.fields.values() for name in listed.split()]

    def kind_of(self, name: str) -> Data | None:
        return next((kind for kind, listed in self.fields.items() if name in listed.split()), None)

    def rows(self, customer_ids: list[int], person_keys: list[Any]) -> QuerySet[Any]:
        """The rows about these people; every person's `Table` has a path."""
        wanted = person_keys if self.by == "person_key" else customer_ids
        return self.model_class._default_manager.filter(**{f"{self.person}__in": wanted}).order_by(self.order)


def tables() -> list[Table]:
    """All tables, those of upper apps and of libraries included."""
    from crm.privacy.library import LIBRARY
    from crm.privacy.tables import CRM

    return [*CRM, *plugins.collect(lambda plugin: plugin.personal_data()), *LIBRARY]


def of_customers() -> list[Table]:
    """Tables that hold something about customers, in the order of the export."""
    return [table for table in tables() if table.person]


def classified(model: type[Model]) -> list[Field]:
    """The fields of a model that need a kind: all but links and numbers that the database gives out."""
    return [
        found
        for found in model._meta.concrete_fields
        if not found.is_relation and found.get_internal_type() not in ("AutoField", "BigAutoField")
    ]


def gaps() -> list[str]:
    """What is wrong with the registry: models and fields without a kind, names that are none, paths that lead nowhere."""
    found, known = [], {table.model: table for table in tables()}
    if len(known) < len(tables()):
        found.append("a model has two tables")
    for model in apps.get_models(include_auto_created=True):
        label = model._meta.label
        if label not in known:
            if not model._meta.auto_created:
                found.append(f"{label} is not classified")
            continue
        found += _gaps_of(model, known.pop(label))
    return found + [f"{label} is no model" for label in known]


def _goes_along(model: type[Model], table: Table) -> bool:
    """Whether the rows of a table are deleted with their customer. Without a link, `crm.privacy.erasure` sees to it."""
    for step in table.person.split("__"):
        found = model._meta.pk if step == "pk" else model._meta.get_field(step)
        if found is None or not found.is_relation:
            return True
        if found.remote_field.on_delete is not CASCADE:  # type: ignore[union-attr]
            return False
        model = found.related_model  # type: ignore[assignment]
    return True


def _gaps_of(model: type[Model], table: Table) -> list[str]:
    label, wanted = model._meta.label, [one.name for one in classified(model)]
    found = [f"{label}.{name} is not classified" for name in wanted if name not in table.names]
    found += [f"{label}.{name} is no field that needs a kind" for name in table.names if name not in wanted]
    found += [f"{label}.{name} is classified twice" for name in set(table.names) if table.names.count(name) > 1]
    links = [one for one in model._meta.concrete_fields if one.is_relation and one.related_model is apps.get_model("crm.Customer")]
    if table.person and table.fate is Fate.DELETE and not _goes_along(model, table):
        found.append(f"{label} would stay: a link on its path to the customer is not CASCADE")
    if links and not table.person:
        found.append(f"{label} points to customers but says no path to them")
    if table.person and not table.title:
        found.append(f"{label} has no title for the export")
    if table.person and table.fate in (Fate.KEEP, Fate.PSEUDONYMISE) and not (table.why and table.until):
        found.append(f"{label} is kept without saying why and until when")
    return found
