"""The people who work in the shop, and the shop itself."""

from typing import Any
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm import once
from crm.compiled import compiled
from crm.public_holidays import validate_region

LANGUAGES = [("de", _("German")), ("en", _("English"))]


class User(AbstractUser):
    """A member of staff who logs in. What a role may do stands in `crm.access.ROLES`."""

    class Role(models.TextChoices):
        ADMIN = "admin", _("Administrator")
        MARKETER = "marketer", _("Marketer")
        SUPPORT = "support", _("Support")

    class Theme(models.TextChoices):
        AUTO = "auto", _("Like the device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.SUPPORT)
    language = models.CharField(_("language"), max_length=2, choices=LANGUAGES, default="de")
    theme = models.CharField(_("theme"), max_length=5, choices=Theme, default=Theme.AUTO)

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="crm_user_email_once"),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless `name` is an IANA zone such as Europe/Berlin."""
    if name not in available_timezones():
        raise ValidationError(_("“%(name)s” is no IANA time zone. Write it like Europe/Berlin."), params={"name": name})


def validate_currency(code: str) -> None:
    """Raise ValidationError unless `code` is three capital letters (ISO 4217)."""
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise ValidationError(_("Write the currency as three capital letters, such as EUR."))


class Shop(models.Model):
    """The merchant of this installation: exactly one row.

    Days (birthdays, order days, stages) are days in `time_zone`; every stored amount is in `currency`.
    """

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(_("shop name"), max_length=120, db_default="Stammkunde")
    time_zone = models.CharField(
        _("time zone"), max_length=64, db_default="Europe/Berlin", validators=[validate_time_zone]
    )
    currency = models.CharField(_("currency"), max_length=3, db_default="EUR", validators=[validate_currency])
    language = models.CharField(_("language of the shop"), max_length=2, choices=LANGUAGES, db_default="de")
    sender_name = models.CharField(_("sender name"), max_length=120, blank=True, db_default="")
    sender_email = models.EmailField(_("sender address"), blank=True, db_default="")
    reply_to = models.EmailField(_("reply address"), blank=True, db_default="")
    imprint = models.TextField(
        _("imprint"),
        blank=True,
        db_default="",
        help_text=_("Name, address and contact, printed below every mail."),
    )
    event_window_hours = models.PositiveSmallIntegerField(
        _("hours in which a purchase counts as live"),
        db_default=72,
        help_text=_("An older purchase is stored but causes no mail."),
    )
    quiet_from = models.TimeField(_("quiet hours from"), db_default="20:00")
    quiet_until = models.TimeField(_("quiet hours until"), db_default="08:00")
    mails_per_fortnight = models.PositiveSmallIntegerField(
        _("advertising mails to one person in 14 days"), db_default=3
    )
    embed_origins = models.TextField(
        _("pages that may show the sign-up form"),
        blank=True,
        db_default="",
        help_text=_("One address a line, such as https://shop.example. Empty: none."),
    )
    sign_up_names = models.BooleanField(
        _("ask for the name when signing up"), db_default=False, help_text=_("First and last name, both optional.")
    )
    sign_up_salutation = models.BooleanField(
        _("ask for the form of address when signing up"),
        db_default=False,
        help_text=_("Ms, Mr, neutral or not given; optional, and never guessed."),
    )
    exports_per_day = models.PositiveSmallIntegerField(
        _("exports of one member of staff in 24 hours"),
        db_default=5,
        help_text=_("Downloads of personal data. 0 allows none."),
    )
    holiday_region = models.CharField(
        _("public holidays of"),
        max_length=10,
        blank=True,
        db_default="DE",
        default="DE",
        validators=[validate_region],
        help_text=_("Country, with its Land if you like: DE, DE-NI, AT, CH-ZH. Mailings on these days get a warning."),
    )
    armed_for = models.CharField(max_length=100, blank=True, db_default="", editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="crm_shop_one_row")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        once.forget_settings()

    @classmethod
    def current(cls) -> "Shop":
        """The shop's settings; made with the defaults when a new installation asks first."""
        return _current_shop()


@once.a_request
def _current_shop() -> Shop:
    if found := _the_shop():
        return found[0]
    Shop.objects.bulk_create([Shop(pk=1)], ignore_conflicts=True)
    return Shop.objects.get(pk=1)


@compiled
def _the_shop() -> QuerySet[Shop]:
    return Shop.objects.filter(pk=1)
