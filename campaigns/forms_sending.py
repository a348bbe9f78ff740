"""What an administrator sets about sending: limits by domain, the warm-up, and the headers of a received probe."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from campaigns import pacing
from campaigns.models import WarmUp
from crm.forms import Styled

DOMAIN = re.compile(r"^(?=.{4,80}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,}$")


class LimitForm(Styled, forms.Form):
    """So many mails an hour for some domains; none named means all advertising."""

    domains = forms.CharField(
        label=_("Domains"),
        required=False,
        max_length=1000,
        help_text=_(
            "Such as gmail.com. Its sister domains (googlemail.com …) are added by themselves. Empty: all advertising."
        ),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    per_hour = forms.IntegerField(
        label=_("Mails an hour"),
        min_value=1,
        max_value=10_000_000,
        localize=False,
        error_messages={
            "required": _("Say how many mails may go in an hour."),
            "min_value": _("At least one mail an hour. To stop advertising altogether, pause it."),
        },
    )

    def clean_domains(self) -> list[str]:
        """Lower case, in ASCII, each once, with the domains of the same provider."""
        found: dict[str, None] = {}
        for word in re.split(r"[\s,;]+", self.cleaned_data["domains"].strip().lower()):
            if not word:
                continue
            try:
                domain = word.rpartition("@")[2].encode("idna").decode()
            except UnicodeError:
                domain = ""
            if not DOMAIN.match(domain):
                raise ValidationError(_("“%(word)s” is not a domain."), params={"word": word})
            found |= dict.fromkeys(pacing.family_of(domain))
        return list(found)

    def keep(self) -> bool:
        """Set the limit. Returns whether it holds now; else the form says why not."""
        try:
            pacing.limit(self.cleaned_data["domains"], self.cleaned_data["per_hour"])
        except ValueError as error:
            self.add_error("domains", _("One of them stands in the limit of %(name)s already.") % {"name": str(error)})
        return not self.errors


class WarmUpForm(Styled, forms.ModelForm):
    """How a new sender begins."""

    class Meta:
        model = WarmUp
        fields = ["per_day", "growth", "ceiling"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.localize = False
            field.widget.is_localized = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("per_day") and cleaned.get("ceiling") and cleaned["ceiling"] < cleaned["per_day"]:
            self.add_error("ceiling", _("This is less than on the first day."))
        return cleaned


class ProbeForm(Styled, forms.Form):
    """The headers of the probe, as a mail program shows them."""

    headers = forms.CharField(
        label=_("Headers of the probe as it arrived"),
        max_length=200_000,
        help_text=_(
            "In your mail program: “Show original”, “View source” or “Message headers”. Nothing of it is kept but what "
            "was signed, by whom, and the verdicts."
        ),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
    )
