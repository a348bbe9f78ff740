"""The form by which a marketer writes, aims and dates a mailing, and the one that launches it."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import from_current_timezone
from django.utils.timezone import localtime, now
from django.utils.translation import gettext_lazy as _

from campaigns import couponing
from campaigns.models import BlockKind, TemplateVersion
from campaigns.rendering import LANGUAGES
from crm.models import Shop, User
from loyalty.models import CouponBatch
from loyalty.stages import STAGES

NAMES = {"de": _("German"), "en": _("English")}
# What the message of a mailing may be; the rules about good mails read it.
MESSAGES = (
    (BlockKind.BENEFIT, _("news or an offer")),
    (BlockKind.BAD_NEWS, _("something unpleasant")),
    (BlockKind.REQUEST, _("a request")),
    (BlockKind.SURPRISE, _("a surprise")),
)
TEXTS = ("subject", "appreciation", "message", "cta", "closing")
AHEAD = timedelta(days=730)


class MailingForm(forms.Form):
    """A mailing's text in one or two languages, its stages, its time in the shop's zone and who signs.

    The shop's language must be written; the other one wholly or not at all. Texts are fields `message_de`,
    `message_en` and so on. Without a time the draft is kept and cannot be launched.
    """

    name = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("Only for you: how you find it again."), strip=True
    )
    kind = forms.ChoiceField(label=_("The message is"), choices=MESSAGES, initial=BlockKind.BENEFIT)
    cta_url = forms.CharField(
        label=_("Link of the button"),
        max_length=500,
        required=False,
        help_text=_("An address that starts with https://. Leave it out for a mail without a button."),
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
    )
    coupon = forms.ModelChoiceField(
        label=_("Coupon"),
        queryset=CouponBatch.objects.none(),
        required=False,
        empty_label=_("no coupon"),
        help_text=_("Everybody gets a code of their own. Code and terms stand above the closing."),
        error_messages={
            "required": _("Choose the coupon that this mailing brings."),
            "invalid_choice": _("This coupon was stopped or has ended. Choose another one, or make a new one."),
        },
    )
    stages = forms.MultipleChoiceField(
        label=_("Who gets it"),
        choices=[(stage.code, stage.label) for stage in STAGES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one stage, or nobody gets the mail.")},
    )
    send_on = forms.DateField(
        label=_("Day"),
        required=False,
        localize=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    send_at = forms.TimeField(
        label=_("Time"),
        required=False,
        localize=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
    )
    signed_by = forms.ModelChoiceField(
        label=_("Signed by"),
        queryset=User.objects.filter(is_active=True).exclude(first_name="", last_name="").order_by("last_name", "pk"),
        empty_label=None,
        help_text=_("A person of your team. Answers reach the shop's reply address."),
        error_messages={"required": _("Choose who signs. A mail from a person is read, one from nobody is not.")},
    )

    def __init__(self, *args: Any, shop: Shop, needs_coupon: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["coupon"].queryset = couponing.choices()  # type: ignore[attr-defined]
        self.fields["coupon"].required = needs_coupon
        self.shop = shop
        self.first = shop.language if shop.language in LANGUAGES else LANGUAGES[0]
        self.languages = (self.first, *(code for code in LANGUAGES if code != self.first))
        for code in self.languages:
            self.fields.update(_texts(code, required=code == self.first))

    def texts(self) -> list[tuple[str, Any, list[forms.BoundField], bool]]:
        """(code, name, fields, whether it is shown opened) of each language, the shop's first."""
        found = []
        for code in self.languages:
            fields = [self[f"{text}_{code}"] for text in TEXTS]
            used = any(field.value() or field.errors for field in fields)
            found.append((code, NAMES[code], fields, used or code == self.first))
        return found

    def written(self) -> list[str]:
        """The languages that hold any text."""
        return [code for code in self.languages if any(self.cleaned_data.get(f"{text}_{code}") for text in TEXTS)]

    def clean_cta_url(self) -> str:
        address: str = self.cleaned_data["cta_url"].strip()
        if not address:
            return ""
        try:
            parts = urlsplit(address)
            usable = parts.scheme == "https" and "." in (parts.hostname or "") and not parts.username
        except ValueError:
            usable = False
        if not usable or any(character.isspace() for character in address):
            raise ValidationError(
                _("Write the whole address with https:// in front, such as https://shop.example/new.")
            )
        return address

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        self._whole_languages(given)
        self._button(given)
        day, hour = given.get("send_on"), given.get("send_at")
        given["moment"] = self._moment(day, hour) if not {"send_on", "send_at"} & self.errors.keys() else None
        return given

    def _whole_languages(self, given: dict[str, Any]) -> None:
        for code in self.written() if given else ():
            for text in ("subject", "appreciation", "message", "closing"):
                name = f"{text}_{code}"
                if not given.get(name) and name not in self.errors:
                    self.add_error(name, _("This language is begun: write this too, or empty its other fields."))

    def _button(self, given: dict[str, Any]) -> None:
        for code in self.written() if given else ():
            name, word = f"cta_{code}", given.get(f"cta_{code}")
            if given.get("cta_url") and not word and name not in self.errors:
                self.add_error(name, _("Write what stands on the button, or leave the link out."))
            if word and not given.get("cta_url") and "cta_url" not in self.errors:
                self.add_error("cta_url", _("Give the address to which the button leads, or leave its words out."))

    def _moment(self, day: date | None, hour: time | None) -> datetime | None:
        if day is None and hour is None:
            return None
        if day is None or hour is None:
            self.add_error("send_on" if day is None else "send_at", _("Give both day and time, or neither."))
            return None
        try:
            moment = from_current_timezone(datetime.combine(day, hour))
        except ValidationError:
            self.add_error(
                "send_at", _("On this day the clocks change and this time is none or twice. Choose another.")
            )
            return None
        if moment <= now():
            self.add_error("send_on", _("This time is past. Choose a later one."))
        elif moment > now() + AHEAD:
            self.add_error("send_on", _("This is more than two years ahead. Choose an earlier day."))
        return moment


class CouponForm(forms.Form):
    """The coupon that the mails of a recipe bring, or none."""

    coupon = forms.ModelChoiceField(
        label=_("Coupon"),
        queryset=CouponBatch.objects.none(),
        required=False,
        empty_label=_("no coupon"),
        error_messages={
            "invalid_choice": _("This coupon was stopped or has ended. Choose another one, or make a new one.")
        },
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["coupon"].queryset = couponing.choices()  # type: ignore[attr-defined]


class LaunchForm(forms.Form):
    """The number of recipients, typed in by hand: nobody launches what they have not looked at."""

    recipients = forms.IntegerField(
        label=_("Number of recipients"),
        min_value=1,
        max_value=100_000_000,
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


def _texts(code: str, required: bool) -> dict[str, forms.CharField]:
    """The fields of one language."""
    area = {"rows": 3, "lang": code}
    return {
        f"subject_{code}": forms.CharField(
            label=_("Subject"), max_length=150, required=required, widget=forms.TextInput(attrs={"lang": code})
        ),
        f"appreciation_{code}": forms.CharField(
            label=_("Appreciation"),
            max_length=1000,
            required=required,
            widget=forms.Textarea(attrs={**area, "rows": 2}),
            help_text=_("One sentence that thanks for something definite. The salutation stands before it."),
        ),
        f"message_{code}": forms.CharField(
            label=_("Message"), max_length=10_000, required=required, widget=forms.Textarea(attrs={**area, "rows": 7})
        ),
        f"cta_{code}": forms.CharField(
            label=_("Words on the button"), max_length=60, required=False, widget=forms.TextInput(attrs={"lang": code})
        ),
        f"closing_{code}": forms.CharField(
            label=_("Closing"), max_length=1000, required=required, widget=forms.Textarea(attrs=area)
        ),
    }


def blocks_of(given: dict[str, Any], languages: Iterable[str]) -> list[dict[str, Any]]:
    """The blocks of a text from the form's values, in the order of the mail. Greeting and signature are fixed."""
    written = list(languages)

    def said(name: str, end: str = "") -> dict[str, str]:
        return {code: given[f"{name}_{code}"].replace("\r\n", "\n") + end for code in written}

    blocks: list[dict[str, Any]] = [
        {"kind": BlockKind.GREETING.value, "text": {code: "{{ opening }}," for code in written}},
        {"kind": BlockKind.APPRECIATION.value, "text": said("appreciation")},
        {"kind": given["kind"], "text": said("message")},
    ]
    if given["cta_url"]:
        blocks.append({"kind": BlockKind.CTA.value, "text": said("cta"), "url": given["cta_url"]})
    if given.get("coupon"):
        blocks = couponing.with_block(blocks, written)  # type: ignore[assignment]
    return [*blocks, {"kind": BlockKind.CLOSING.value, "text": said("closing", f"\n{given['signed_by']}")}]


def initial_of(version: TemplateVersion | None, send_at: datetime | None, signature: str) -> dict[str, Any]:
    """The form's values for a text: what `blocks_of` made of them, the signature taken off again."""
    found: dict[str, Any] = {}
    names = {BlockKind.APPRECIATION: "appreciation", BlockKind.CTA: "cta", BlockKind.CLOSING: "closing"}
    for block in version.blocks if version else ():
        if block["kind"] == BlockKind.GREETING or block.get("coupon"):
            continue
        name = names.get(block["kind"], "message")
        if name == "message":
            found["kind"] = block["kind"]
        end = f"\n{signature}" if name == "closing" else ""
        found |= {f"{name}_{code}": text.removesuffix(end) for code, text in block["text"].items()}
        if block.get("url"):
            found["cta_url"] = block["url"]
    found |= {f"subject_{code}": text for code, text in (version.subject if version else {}).items()}
    if send_at:
        local = localtime(send_at)
        found |= {"send_on": local.date(), "send_at": local.time()}
    return found
