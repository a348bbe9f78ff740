"""Figures of the whole shop, kept so that a page need not work them out."""

from django.db import models
from django.db.models import Q


class StoredFigure(models.Model):
    """The result of one figure of `loyalty.figures` for one set of parameters; safe to delete.

    `value` is empty until it was computed for the first time. `wanted_at` is set while somebody waits for a new one;
    `asked_at` is the last day a page showed it (a figure that nobody looks at any more is dropped).
    """

    name = models.CharField(max_length=60)
    parameters = models.CharField(max_length=200, blank=True, default="", help_text="As in an address: a=1&b=2.")
    value = models.JSONField(null=True, blank=True)
    as_of = models.DateField(null=True, help_text="The day for which it holds.")
    computed_at = models.DateTimeField(null=True)
    rules_version = models.PositiveIntegerField(null=True)
    took_ms = models.PositiveIntegerField(null=True, help_text="How long the computation took, in milliseconds.")
    wanted_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "parameters"], name="loyalty_figure_once"),
            models.CheckConstraint(
                condition=Q(computed_at=None) | Q(as_of__isnull=False, rules_version__isnull=False),
                name="loyalty_figure_says_what_for",
            ),
        ]
        indexes = [
            models.Index(fields=["wanted_at"], name="loyalty_figure_wanted", condition=Q(wanted_at__isnull=False))
        ]
