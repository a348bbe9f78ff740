"""The only way up: hooks that loyalty and campaigns offer and crm calls.

An upper app registers one `Plugin` in its `AppConfig.ready`. Every hook has a default that does nothing, so crm's
pages and its sync work with no upper app installed. Hooks that write run in crm's own transaction.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import django_filters
from django.db.models import QuerySet
from django.utils.functional import Promise

from crm.models import Customer, User

if TYPE_CHECKING:
    from crm.invariants import Invariant
    from crm.privacy.registry import Table
    from crm.privacy.retention import Rule
    from crm.privacy.sections import Section
    from crm.privacy.vocabulary import Vocabulary
    from crm.worklist import Entry


@dataclass(frozen=True)
class Panel:
    """A part of the customer profile: a template, its context, and the slot where it stands.

    Slots, in the order of the page: alert, standing, main, side. `order` sorts within a slot.
    """

    slot: str
    template: str
    context: dict[str, Any]
    order: int = 50


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened, worded for staff. `kind` is the filter it falls under; `tone` '', good, bad, bond.

    `title` is bold, `text` goes on in the same line, `body` is what staff wrote, `own_words` what the customer said.
    `feelings` are emotions with who says so; `warning` is a word that must not be overlooked.
    """

    at: datetime
    kind: str
    icon: str
    title: str
    own_words: str = ""
    notes: Sequence[str] = ()
    tone: str = ""
    url: str = ""
    text: str = ""
    body: str = ""
    feelings: Sequence["Feeling"] = ()
    warning: str = ""


@dataclass(frozen=True)
class Feeling:
    """An emotion of `crm.emotions` by its code; `strength` 0 to 10 where it was answered; `estimate` if staff say so."""

    code: str
    strength: float | None = None
    estimate: bool = False


@dataclass(frozen=True)
class Column:
    """A column of the customer list: `template` is rendered with `customer` and the user's language.

    alike: what the cell depends on; customers for whom it is equal share a cell that is rendered once a page.
    """

    code: str
    label: str | Promise
    template: str
    order: int = 50
    alike: Callable[[Any], Hashable] | None = None


@dataclass(frozen=True)
class ListAction:
    """A button above the customer list. `url` takes the list's filters as its query."""

    label: str | Promise
    url: str
    icon: str


class BarrierSignal(NamedTuple):
    """A fact about switching that staff may record because no shop system knows it (`crm.models.BarrierFact`).

    `unit` says what a value is: months, share (0 to 1), money, count, or flag (1 and 0 for yes and no).
    """

    code: str
    label: str | Promise
    unit: Literal["months", "share", "money", "count", "flag"]
    help: str | Promise = ""


@dataclass(frozen=True)
class Notice:
    """Something that stands still until somebody does something, and what. `title` is bold and leads to `url`, if any.

    tone: bad, or due for what may pass by itself.
    """

    title: str
    text: str
    url: str = ""
    tone: Literal["bad", "due"] = "bad"


@dataclass(frozen=True)
class NavEntry:
    """An entry of the main navigation; shown to those who hold `capability`."""

    label: str | Promise
    url_name: str
    icon: str
    capability: str
    order: int


class Plugin:
    """What an upper app may add to crm. Override what is needed."""

    timeline_kinds: dict[str, str | Promise] = {}
    nav: Sequence[NavEntry] = ()
    settings_tabs: Sequence[NavEntry] = ()

    def panels(self, customer: Customer, user: User) -> Iterable[Panel]:
        """Parts of the profile. A fixed number of queries, whatever the customer's history."""
        return ()

    def timeline(self, customer: Customer, kinds: set[str], before: datetime, limit: int) -> Iterable[TimelineEntry]:
        """Up to `limit` entries of the given kinds older than `before`, newest first."""
        return ()

    def timeline_counts(self, customer: Customer) -> dict[str, int]:
        """How many entries of each kind there are."""
        return {}

    def list_columns(self) -> Sequence[Column]:
        return ()

    def list_queryset(self, customers: QuerySet[Customer]) -> QuerySet[Customer]:
        """Add what `list_columns` show (select_related, annotations); never a query a row."""
        return customers

    def list_actions(self, user: User) -> "Sequence[ListAction]":
        """What may be done with the customers of a filtered list."""
        return ()

    def filters(self) -> dict[str, django_filters.Filter]:
        """Filters of the customer list by their name in the URL."""
        return {}

    def barrier_signals(self) -> Sequence[BarrierSignal]:
        """Facts that staff may record on the profile, in the order of the form."""
        return ()

    def labels(self) -> Mapping[str, Mapping[str, str]]:
        """What the merchant calls things, by `kind.code` and language (`crm.labels.named`). One query at most."""
        return {}

    def worklist(self, user: User, limit: int) -> "Iterable[Entry]":
        """What else waits for the staff today: up to `limit` rows of a group of `crm.worklist.GROUPS`."""
        return ()

    def notices(self, user: User) -> Iterable[Notice]:
        """What this person should know first today, as long as it holds. A fixed number of queries."""
        return ()

    def greetings(self, day: date, customer_ids: Sequence[int]) -> Mapping[int, datetime]:
        """To whom of these a birthday mail of that day goes or went, and when."""
        return {}

    def invariants(self) -> "Iterable[Invariant]":
        """Rules over the app's own tables that `manage.py verify_invariants` shall prove."""
        return ()

    def readiness(self) -> Iterable[tuple[str, str]]:
        """What /readyz shall look at: (name, "ok" or what is wrong)."""
        return ()

    def on_withdraw(self, customer_id: int, purposes: Sequence[str], channel: str) -> None:
        """A permission ended: stop what is planned. Runs inside the withdrawal's transaction, customer locked."""

    def after_withdraw(self, customer_id: int) -> None:
        """The withdrawal is committed: wait until nothing of this person's is on the wire."""

    def personal_data(self) -> "Sequence[Table]":
        """The app's models, each classified: what they say about a person and what an erasure does with them."""
        return ()

    def export(self, customer: Customer, customer_ids: Sequence[int]) -> "Iterable[Section]":
        """What else is handed out to a person, beyond the rows of `personal_data`. A fixed number of queries.

        customer_ids: the customer and every record that was merged into it.
        """
        return ()

    def code_words(self) -> "Vocabulary":
        """Words for codes in crm's tables that only the app can name, for the export (`crm.privacy.vocabulary`)."""
        return {}

    def letters(self, customer_ids: Sequence[int]) -> "Iterable[tuple[datetime, dict[str, Any]]]":
        """Business letters about a sale that the app sent or got (`crm.privacy.letters`): when, and what they say.

        An erasure seals them for six years. A fixed number of queries.
        """
        return ()

    def seed(self, seed: int, until: date) -> None:
        """Invent what belongs to your app for the demo shop that crm has just invented (`manage.py seed`).

        The same seed tells the same story; nothing of it is later than `until`.
        """

    def before_erase(self) -> None:
        """An erasure begins: take the locks that your own writers hold, before crm locks the customer."""

    def erase(self, customer_ids: Sequence[int], shell_id: int) -> int:
        """Cut off what is not deleted with the customers by giving it to the nameless shell. Returns how many rows.

        Runs inside the erasure's transaction, customers locked. Rows with CASCADE to a customer go by themselves.
        """
        return 0

    def retention(self) -> "Sequence[Rule]":
        """What of this app's data goes after a time."""
        return ()



@dataclass
class _Registry:
    plugins: list[Plugin] = field(default_factory=list)


_registry = _Registry()


def register(plugin: Plugin) -> None:
    """Add an upper app's plugin; a second one of the same class replaces the first."""
    _registry.plugins = [known for known in _registry.plugins if type(known) is not type(plugin)] + [plugin]


def registered() -> Sequence[Plugin]:
    return tuple(_registry.plugins)


def collect(hook: Callable[[Plugin], Iterable[Any]]) -> list[Any]:
    """All that the plugins answer to one hook, e.g. `collect(lambda p: p.panels(customer, user))`."""
    return [item for plugin in registered() for item in hook(plugin)]
