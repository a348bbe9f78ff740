"""What a mail says: ordered typed blocks, frozen as versions."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns import blocks as kinds


class Template(models.Model):
    """A text that grows by versions. `recipe` is the code of the recipe it was written for."""

    name = models.CharField(_("name"), max_length=120)
    recipe = models.SlugField(max_length=30)
    created_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """One state of a template. Once `frozen_at` is set it is never edited: a change makes the next version.

    `subject` is {language: text}; `blocks` is a list as `campaigns.blocks` describes it, the same order in every
    language. Texts may hold `{{ values }}` (`campaigns.filling`). The legal notice is added by the renderer to every
    advertising mail. Saving raises ValidationError for what cannot be a text.
    """

    template = models.ForeignKey(Template, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    subject = models.JSONField(_("subject"), default=dict)
    blocks = models.JSONField(_("text"), default=list)
    frozen_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey("crm.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="campaigns_template_version_once"),
        ]

    def save(self, *args: Any, **options: Any) -> None:
        kinds.check(self.subject, self.blocks)
        super().save(*args, **options)
