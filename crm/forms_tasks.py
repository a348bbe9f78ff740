"""Forms by which staff finish a task, hand it on, or promise one."""

from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms.models import ModelChoiceIterator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.compiled import compiled
from crm.forms import Styled
from crm.models import Task, User

LONGEST_NOTE = 5000


class Colleagues(ModelChoiceIterator):
    """The choices by one statement. Django asks for them by a cursor on the server, which is made for more rows."""

    field: "StaffField"

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        yield "", str(self.field.empty_label)
        for person in colleagues(self.field.holder or 0):
            yield self.choice(person)


@compiled
def colleagues(holder: int) -> QuerySet[User]:
    return working(holder).order_by("first_name", "last_name", "username")


def working(holder: Any) -> QuerySet[User]:
    """Who works here, and whoever has it now, even if they have left; 0 for nobody."""
    return User.objects.filter(Q(is_active=True) | Q(pk=holder))


class StaffField(forms.ModelChoiceField):
    """Somebody of the staff. holder: the key of whoever has it now."""

    iterator = Colleagues
    holder: int | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(queryset=User.objects.filter(is_active=True), required=False, **options)

    def held_by(self, holder: int | None) -> None:
        self.holder, self.queryset = holder, working(holder or 0)


class FinishForm(Styled, forms.Form):
    """How it went."""

    outcome = forms.ChoiceField(label=_("How did it go?"), choices=Task.Outcome, initial=Task.Outcome.SPOKE)
    note = forms.CharField(
        label=_("Note"), max_length=LONGEST_NOTE, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class PromiseForm(Styled, forms.Form):
    """A call that was promised."""

    text = forms.CharField(label=_("What is it about?"), max_length=300)
    day = forms.DateField(
        label=_("Day"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        input_formats=["%Y-%m-%d"],
        localize=False,
    )
    hour = forms.TimeField(
        label=_("Time"),
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        input_formats=["%H:%M"],
        localize=False,
        initial=time(10),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        options["initial"] = {"day": timezone.localdate()} | (options.get("initial") or {})
        super().__init__(*args, **options)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            given["due_at"] = timezone.make_aware(datetime.combine(given["day"], given["hour"]))
            if given["due_at"] < timezone.now():
                raise ValidationError(_("This time has passed. Promise a later one."))
        return given


class OwnerForm(Styled, forms.Form):
    """Who looks after it."""

    owner = StaffField(label=_("In charge"), empty_label=_("nobody yet"))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["owner"].held_by(self.initial.get("owner"))  # type: ignore[attr-defined]
