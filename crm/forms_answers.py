"""The sheet by which staff write down what a customer answered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID, uuid5

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm import emotions
from crm.answers import ITEMS, LONGEST_NOTE, MOST_MOTIVATORS, Motive, Sheet, asked_by
from crm.forms import Styled
from crm.models import Answer, Customer
from crm.models.contact import Touchpoint
from crm.privacy.vocabulary import motivators

Words = str | Promise
UNANSWERED = ("", "–")
ELEVEN = [(str(n), str(n)) for n in range(11)]
SEVEN = [(str(n), f"{n:+d}".replace("-", "−") if n else "0") for n in range(-3, 4)]
FORM = "short"
LONGEST_WORDS = 2000


@dataclass(frozen=True)
class Question:
    """item of `crm.answers`; what is asked, with the shop's name as %(shop)s; what the ends (and the middle) mean."""

    item: str
    words: Words
    low: Words
    high: Words
    middle: Words = ""

    @property
    def choices(self) -> list[tuple[str, str]]:
        return SEVEN if ITEMS[self.item][0] < 0 else ELEVEN


QUESTIONS = (
    Question("csat", gettext_lazy("All in all, how satisfied are you?"), gettext_lazy("not at all"), gettext_lazy("completely")),
    Question(
        "disconfirmation",
        gettext_lazy("Was it worse or better than you expected?"),
        gettext_lazy("expectation missed"),
        gettext_lazy("exceeded"),
        gettext_lazy("met"),
    ),
    Question(
        "trust", gettext_lazy("“I can rely on %(shop)s.”"), gettext_lazy("not true at all"), gettext_lazy("entirely true")
    ),
    Question(
        "commitment",
        gettext_lazy("“I feel attached to %(shop)s.”"),
        gettext_lazy("not true at all"),
        gettext_lazy("entirely true"),
    ),
    Question(
        "comparison",
        gettext_lazy("Compared with others: are we worse or better?"),
        gettext_lazy("much worse"),
        gettext_lazy("much better"),
        gettext_lazy("the same"),
    ),
    Question(
        "nps",
        gettext_lazy("How likely are you to recommend us?"),
        gettext_lazy("not at all likely"),
        gettext_lazy("very likely"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """A question as the page shows it: a row of radio buttons, the first of which says nothing."""

    field: BoundField
    label: str
    options: list[tuple[str, str]]
    low: Words = ""
    high: Words = ""
    middle: Words = ""

    @property
    def value(self) -> str:
        return self.field.value() or ""


class AnswersForm(Styled, forms.Form):
    """All questions are voluntary, but one must be answered; whose words they are must be said."""

    sheet = forms.UUIDField(widget=forms.HiddenInput)
    origin = forms.ChoiceField(
        label=gettext_lazy("Whose words are these?"),
        choices=[
            (Answer.Origin.CUSTOMER_SELF, gettext_lazy("the customer's own")),
            (Answer.Origin.STAFF_ESTIMATE, gettext_lazy("my estimate")),
        ],
        error_messages={
            "required": gettext_lazy("Say whose words these are: the customer's own, or your estimate of them.")
        },
    )
    touchpoint = forms.ChoiceField(
        label=gettext_lazy("What was it about?"), choices=Touchpoint, initial=Touchpoint.SERVICE
    )
    comment = forms.CharField(
        label=gettext_lazy("In the customer's words"),
        max_length=min(LONGEST_NOTE, LONGEST_WORDS),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, shop: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.shop = shop
        for question in QUESTIONS:
            self.fields[question.item] = _scale(question.choices)
        for code in asked_by(FORM):
            self.fields[f"nev_{code}"] = _scale(ELEVEN)
        self.motivators = [(code, str(label)) for code, label in motivators().items()]
        for place in range(1, MOST_MOTIVATORS + 1 if self.motivators else 1):
            self._add_motive(place)

    def _add_motive(self, place: int) -> None:
        named = {"place": place}
        self.fields[f"motivator_{place}"] = forms.ChoiceField(
            label=_("What matters to them, %(place)s") % named,
            choices=[("", _("nothing said")), *self.motivators],
            required=False,
        )
        self.fields[f"importance_{place}"] = _scale(ELEVEN, _("How important, 0 to 10"))
        self.fields[f"fulfilment_{place}"] = _scale(ELEVEN, _("How well we help, 0 to 10"))
        for name in ("motivator", "importance", "fulfilment"):
            self.fields[f"{name}_{place}"].widget.attrs["class"] = "form-select"

    # What the page shows

    @property
    def scales(self) -> Iterable[Scale]:
        for one in QUESTIONS:
            words = str(one.words) % {"shop": self.shop}
            yield Scale(self[one.item], words, [UNANSWERED, *one.choices], one.low, one.high, one.middle)

    @property
    def feelings(self) -> list[Scale]:
        """The emotions of the short form, in an order of this sheet's own: the place must not colour the answers."""
        codes = list(asked_by(FORM))
        Random(str(self["sheet"].value())).shuffle(codes)  # noqa: S311 - no secret
        return [Scale(self[f"nev_{code}"], str(emotions.BY_CODE[code].label), [UNANSWERED, *ELEVEN]) for code in codes]

    @property
    def motives(self) -> list[tuple[BoundField, ...]]:
        places = range(1, MOST_MOTIVATORS + 1 if self.motivators else 1)
        return [
            tuple(self[f"{name}_{place}"] for name in ("motivator", "importance", "fulfilment")) for place in places
        ]

    # What was answered

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        chosen = set()
        for place in range(1, MOST_MOTIVATORS + 1 if self.motivators else 1):
            code, importance = given.get(f"motivator_{place}"), given.get(f"importance_{place}")
            if code and importance is None:
                self.add_error(f"importance_{place}", _("Say how important it is, from 0 to 10."))
            if not code and (importance is not None or given.get(f"fulfilment_{place}") is not None):
                self.add_error(f"motivator_{place}", _("Choose what matters to them."))
            if code and code in chosen:
                self.add_error(f"motivator_{place}", _("You chose this one twice. Choose another, or nothing."))
            chosen.add(code)
        if not self.errors and not self._items() and not self._felt() and not self._motives():
            raise ValidationError(_("Nothing is answered yet. Fill in at least one answer."))
        return given

    def _items(self) -> dict[str, int]:
        return self._answered(question.item for question in QUESTIONS)

    def _felt(self) -> dict[str, int]:
        found = self._answered(f"nev_{code}" for code in asked_by(FORM))
        return {name.removeprefix("nev_"): value for name, value in found.items()}

    def _answered(self, names: Iterable[str]) -> dict[str, int]:
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name) is not None}

    def _motives(self) -> list[Motive]:
        given = self.cleaned_data
        return [
            Motive(code, given[f"importance_{place}"], given[f"fulfilment_{place}"])
            for place in range(1, MOST_MOTIVATORS + 1)
            if (code := given.get(f"motivator_{place}"))
        ]

    def as_sheet(self, customer: Customer, *, staff_id: int | None, at: datetime) -> Sheet:
        """The sheet, as `crm.answers` stores it. Only of a valid form."""
        given: dict[str, Any] = self.cleaned_data
        page: UUID = given["sheet"]
        return Sheet(
            customer.pk,
            uuid5(page, str(customer.pk)),  # nobody can write on another customer's sheet
            at,
            self._items(),
            self._felt(),
            FORM if self._felt() else "",
            self._motives(),
            origin=given["origin"],
            touchpoint=given["touchpoint"],
            comment=given["comment"],
            staff_id=staff_id,
        )


def _scale(choices: list[tuple[str, str]], label: str = "") -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=label, choices=[UNANSWERED, *choices], coerce=int, empty_value=None, required=False
    )
