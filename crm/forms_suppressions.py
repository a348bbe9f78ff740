"""Forms of the list of silenced addresses."""

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.forms import Styled
from crm.suppressions import SuppressionError, normalised

NOTE_HELP = _("Kept with the entry. Please name nobody.")
ADDRESS = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class LookUpForm(Styled, forms.Form):
    """Which address is asked about."""

    asked = forms.CharField(
        label=_("E-mail address or phone number"), max_length=254, widget=forms.TextInput(attrs=ADDRESS)
    )

    def clean_asked(self) -> str:
        try:
            return normalised(self.cleaned_data["asked"])
        except SuppressionError as error:
            raise forms.ValidationError(str(error)) from error


class AddForm(Styled, forms.Form):
    """An address for the shop's own stop list."""

    address = forms.CharField(
        label=_("E-mail address or phone number"), max_length=254, widget=forms.TextInput(attrs=ADDRESS)
    )
    note = forms.CharField(label=_("Why"), max_length=200, help_text=NOTE_HELP)

    def clean_address(self) -> str:
        try:
            return normalised(self.cleaned_data["address"])
        except SuppressionError as error:
            raise forms.ValidationError(str(error)) from error


class ListForm(Styled, forms.Form):
    """A stop list as a file."""

    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or plain text, one address in a line, up to 5 MB and 100,000 rows."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv,text/plain"}),
        error_messages={"required": _("Choose the file first."), "empty": _("This file is empty.")},
    )
    list_note = forms.CharField(
        label=_("Where the list comes from"),
        max_length=200,
        help_text=NOTE_HELP,
        error_messages={"required": _("Say where it comes from, for whoever reads the entry later.")},
    )


class LiftForm(forms.Form):
    """Why an entry ends."""

    note = forms.CharField(max_length=200)
