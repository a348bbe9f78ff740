"""One small form for each block of a text, and one for its subject, in one or two languages."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns import blocks as kinds
from campaigns import filling
from campaigns.blocks import KINDS, BlockKind

NAMES = {"de": _("German"), "en": _("English")}
WAYS = 3
SHORT = (BlockKind.GREETING, BlockKind.CTA)
ATTRACTIONS = [("", "–"), *((str(n), str(n)) for n in kinds.ATTRACTIVENESS)]


def first_and_others(language: str) -> tuple[str, ...]:
    """All languages of mails, the shop's first."""
    first = language if language in kinds.LANGUAGES else kinds.LANGUAGES[0]
    return (first, *(code for code in kinds.LANGUAGES if code != first))


class BlockForm(forms.Form):
    """One block: its kind, its text in each language, and what its kind has beside. Language `code` is `text_<code>`."""

    kind = forms.ChoiceField(label=_("Kind"), choices=BlockKind.choices)

    def __init__(self, *args: Any, kind: str, languages: Sequence[str], written: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.shape = KINDS.get(kind, KINDS[BlockKind.BENEFIT.value])
        self.languages, self.written = languages, written
        for code in languages:
            self.fields[f"text_{code}"] = self._text(code)
        for key in self.shape.more:
            self.fields.update(_MORE[key](languages))

    def _text(self, code: str) -> forms.CharField:
        label, short = _("Text"), self.shape.code in SHORT
        if self.shape.code == BlockKind.CTA:
            label = _("Words on the button")
        rows = 1 if short else 3
        widget = forms.TextInput if short else forms.Textarea
        return _Line(
            label=label,
            max_length=kinds.MAX_BUTTON if self.shape.code == BlockKind.CTA else kinds.MAX_TEXT,
            required=code in self.written,
            error_messages={"required": _missing(code, self.languages)},
            widget=widget(attrs={"lang": code} | ({} if short else {"rows": rows})),
        )

    def texts(self) -> list[tuple[str, str | Promise, forms.BoundField, list[forms.BoundField]]]:
        """(code, name of the language, its text, its options) of each language."""
        ways = range(WAYS) if "options" in self.shape.more else ()
        return [
            (code, NAMES[code], self[f"text_{code}"], [self[f"option{n}_{code}"] for n in ways])
            for code in self.languages
        ]

    def beside(self) -> list[forms.BoundField]:
        """The fields that no language has a share in."""
        return [field for field in self if field.name != "kind" and not field.name.endswith(("_de", "_en"))]

    def clean_url(self) -> str:
        address: str = self.cleaned_data["url"]
        if not kinds.usable_url(address):
            raise ValidationError(
                _("Write the whole address with https:// in front, such as https://shop.example/new.")
            )
        return address

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if "options" in self.shape.more:
            self._check_options(given)
        return given

    def _check_options(self, given: dict[str, Any]) -> None:
        for n in range(WAYS):
            if any(given.get(f"option{n}_{code}") for code in self.written):
                for code in self.written:
                    if not given.get(f"option{n}_{code}") and f"option{n}_{code}" not in self.errors:
                        self.add_error(f"option{n}_{code}", _missing(code, self.languages))
        first = self.written[0]
        if sum(1 for n in range(WAYS) if given.get(f"option{n}_{first}")) < 2:
            self.add_error(f"option0_{first}", _("A choice needs at least two ways to choose from."))

    def check_values(self, known: Mapping[str, str]) -> None:
        """Add an error to each text whose placeholders cannot work."""
        for name, text in list(self.cleaned_data.items()):
            if isinstance(text, str) and name.endswith(tuple(f"_{code}" for code in self.written)):
                if why := filling.fault(text, known):
                    self.add_error(name, why)
        address = self.cleaned_data.get("url", "")
        if (named := kinds.URL_VALUE.fullmatch(address)) and not known.get(named[1], "").startswith("https://"):
            self.add_error("url", _("The value “%(name)s” is no address.") % {"name": named[1]})

    def block(self) -> dict[str, Any]:
        """The block as it is kept."""
        given = self.cleaned_data
        found: dict[str, Any] = {"kind": given["kind"], "text": self._said("text")}
        if "options" in self.shape.more:
            found["options"] = [self._option(n) for n in range(WAYS) if given.get(f"option{n}_{self.written[0]}")]
        for key in ("url", "kano", "name", "about"):
            if given.get(key):
                found[key] = given[key]
        if given.get("coupon"):
            found["coupon"] = True
        if "promo" in self.shape.more and not given.get("promo"):
            found["promo"] = False
        return found

    def _said(self, name: str) -> dict[str, str]:
        return {code: self.cleaned_data[f"{name}_{code}"].replace("\r\n", "\n") for code in self.written}

    def _option(self, n: int) -> dict[str, Any]:
        rank = self.cleaned_data.get(f"attraction{n}")
        return {"text": self._said(f"option{n}")} | ({"attractiveness": int(rank)} if rank else {})


class _Line(forms.CharField):
    """A text that says how much too long it is, instead of counting the whole of it into the sentence."""

    default_error_messages = {"max_length": _("At most %(limit_value)d characters; these are %(show_value)d.")}


def _missing(code: str, languages: Sequence[str]) -> str:
    if code == languages[0]:
        return gettext("Write this, or remove the block.")
    if code == "en":
        return gettext("Write this in English, too, or untick English above.")
    return gettext("Write this in German, too, or untick German above.")


def _option_fields(languages: Sequence[str]) -> dict[str, forms.Field]:
    found: dict[str, forms.Field] = {}
    for n in range(WAYS):
        for code in languages:
            found[f"option{n}_{code}"] = _Line(
                label=_("Way %(n)s") % {"n": n + 1},
                max_length=200,
                required=False,
                widget=forms.TextInput(attrs={"lang": code}),
            )
        found[f"attraction{n}"] = forms.ChoiceField(
            label=_("Way %(n)s: how attractive, 1 to 5") % {"n": n + 1}, choices=ATTRACTIONS, required=False
        )
    return found


_MORE: dict[str, Any] = {
    "options": _option_fields,
    "url": lambda _languages: {
        "url": _Line(
            label=_("Link of the button"),
            max_length=kinds.MAX_URL,
            error_messages={"required": _("Give the address to which the button leads, or remove this block.")},
            widget=forms.TextInput(attrs={"placeholder": "https://", "inputmode": "url", "autocomplete": "off"}),
        )
    },
    "promo": lambda _languages: {
        "promo": forms.BooleanField(label=_("It leads to something that is for sale"), required=False)
    },
    "coupon": lambda _languages: {
        "coupon": forms.BooleanField(label=_("Shows the coupon's code and terms here"), required=False)
    },
    "kano": lambda _languages: {
        "kano": forms.ChoiceField(
            label=_("What people think of it"), choices=[("", _("not known")), *kinds.KANO], required=False
        )
    },
    "name": lambda _languages: {
        "name": _Line(
            label=_("What it is, in a word"),
            max_length=60,
            required=False,
            help_text=_("So that nobody gets the same surprise twice."),
        )
    },
    "about": lambda _languages: {
        "about": forms.ChoiceField(
            label=_("What you ask for"), choices=[("", _("not said")), *kinds.ABOUTS], required=False
        )
    },
}


class SubjectForm(forms.Form):
    """The subject in each language, and whether there is a second language at all."""

    def __init__(self, *args: Any, languages: Sequence[str], written: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.languages, self.written = languages, written
        for code in languages:
            self.fields[f"subject_{code}"] = _Line(
                label=_("Subject"),
                max_length=kinds.MAX_SUBJECT,
                required=code in written,
                error_messages={
                    "required": gettext("A mail needs a subject.")
                    if code == languages[0]
                    else _missing(code, languages)
                },
                widget=forms.TextInput(attrs={"lang": code}),
            )
        for code in languages[1:]:
            self.fields[f"also_{code}"] = forms.BooleanField(
                label=_("Also in English") if code == "en" else _("Also in German"), required=False
            )

    def subjects(self) -> list[tuple[str, str | Promise, forms.BoundField]]:
        """(code, name of the language, field) of each language."""
        return [(code, NAMES[code], self[f"subject_{code}"]) for code in self.languages]

    def also(self) -> list[forms.BoundField]:
        """What is ticked for a second language."""
        return [self[f"also_{code}"] for code in self.languages[1:]]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for code in self.written:
            if kinds.BROKEN_LINE.search(given.get(f"subject_{code}") or ""):
                self.add_error(
                    f"subject_{code}",
                    _("The subject is one line. Take out line breaks and invisible signs, then write it again."),
                )
        return given

    def check_values(self, known: Mapping[str, str]) -> None:
        """Add an error to a subject whose placeholders cannot work."""
        for code in self.written:
            if why := filling.fault(self.cleaned_data.get(f"subject_{code}") or "", known):
                self.add_error(f"subject_{code}", why)
