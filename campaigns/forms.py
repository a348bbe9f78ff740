"""The form that launches a mailing. How one is written: `campaigns.forms_mailing` and `campaigns.editor`."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class LaunchForm(forms.Form):
    """The number of recipients, typed in by hand: nobody launches what they have not looked at."""

    recipients = forms.IntegerField(
        label=_("Number of recipients"),
        localize=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "size": 9}),
        error_messages={
            "required": _("Type in how many people will get this mail."),
            "invalid": _("Type in the number of recipients in digits, such as 1284."),
        },
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        if data is not None:
            data = {"recipients": str(data.get("recipients", "")).replace(".", "").replace(",", "").replace(" ", "")}
        super().__init__(data, **options)
