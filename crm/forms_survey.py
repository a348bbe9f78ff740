"""The questionnaire behind a mail, made from `crm.questionnaire.ENTRIES`."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import emotions
from crm.answers import Sheet, asked_by
from crm.forms_answers import ELEVEN, LONGEST_WORDS, UNANSWERED, Question, Scale, Words
from crm.questionnaire import ENTRIES, TOUCHPOINT, Feelings, OwnWords
from crm.surveys import Found

OWN_WORDS = "comment"


@dataclass(frozen=True)
class Part:
    """One part of the page: scales under a heading (none for a single question), or the field for one's own words."""

    heading: Words = ""
    scales: tuple[Scale, ...] = ()
    field: BoundField | None = None


class SurveyForm(forms.Form):
    """Every question is voluntary, but one must be answered. `seed` draws the order of the emotions."""

    def __init__(self, *args: Any, shop: str = "", seed: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.shop, self.seed = shop, seed
        for entry in ENTRIES:
            if isinstance(entry, OwnWords):
                area = forms.Textarea(attrs={"rows": 4, "class": "form-control"})
                self.fields[OWN_WORDS] = forms.CharField(
                    label=str(entry.words), help_text=str(entry.help), max_length=LONGEST_WORDS, required=False, widget=area
                )
            elif isinstance(entry, Feelings):
                self.fields |= {f"nev_{code}": _scale(ELEVEN) for code in asked_by(entry.form)}
            else:
                self.fields[entry.item] = _scale(entry.choices)

    # What the page shows

    @property
    def parts(self) -> Iterable[Part]:
        for entry in ENTRIES:
            if isinstance(entry, OwnWords):
                yield Part(field=self[OWN_WORDS])
            elif isinstance(entry, Feelings):
                yield Part(entry.words, self._feelings(entry))
            else:
                words = str(entry.words) % {"shop": self.shop}
                options = [*entry.choices, UNANSWERED]
                yield Part(scales=(Scale(self[entry.item], words, options, entry.low, entry.high, entry.middle),))

    def _feelings(self, entry: Feelings) -> tuple[Scale, ...]:
        """In an order of this mail's own: the place must not colour the answers."""
        codes = list(asked_by(entry.form))
        Random(self.seed).shuffle(codes)  # noqa: S311 - no secret
        named = [(self[f"nev_{code}"], str(emotions.BY_CODE[code].label)) for code in codes]
        return tuple(Scale(field, label, [*ELEVEN, UNANSWERED], entry.low, entry.high) for field, label in named)

    # What was answered

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not self._items() and not any(felt for felt, _form in self._felt()):
            raise ValidationError(_("Please answer at least one question. Your own words are kept together with it."))
        return given

    def _items(self) -> dict[str, int]:
        return self._answered(entry.item for entry in ENTRIES if isinstance(entry, Question))

    def _felt(self) -> list[tuple[dict[str, int], str]]:
        """The emotions with the form that asked for them."""
        found = []
        for entry in ENTRIES:
            if isinstance(entry, Feelings):
                rated = self._answered(f"nev_{code}" for code in asked_by(entry.form))
                found.append(({name.removeprefix("nev_"): value for name, value in rated.items()}, entry.form))
        return found

    def _answered(self, names: Iterable[str]) -> dict[str, int]:
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name) is not None}

    def as_sheet(self, found: Found) -> Sheet:
        """The sheet of an invitation, as `crm.answers` stores it. Only of a valid form."""
        felt, form = next(((felt, form) for felt, form in self._felt() if felt), ({}, ""))
        return Sheet(
            found.customer.pk,
            found.invitation.response,
            now(),
            self._items(),
            felt,
            form,
            touchpoint=TOUCHPOINT,
            comment=self.cleaned_data.get(OWN_WORDS, ""),
            purchase_id=found.invitation.purchase_id,
        )


def _scale(choices: list[tuple[str, str]]) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(choices=[UNANSWERED, *choices], coerce=int, empty_value=None, required=False)
