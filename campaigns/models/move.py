"""A mailing that was given another time, while the windows of its mails are still being moved."""

from django.db import models
from django.db.models import Q

from campaigns.models.campaign import Run


class Move(models.Model):
    """By how much the windows of a run's mails move, and how far that has come; the row goes when all have moved.

    `slices`: mails are moved by the first digits of their address's hash, in 4096 slices; so many are done.
    """

    SLICES = 4096

    run = models.ForeignKey(Run, models.CASCADE, related_name="moves")
    by = models.DurationField()
    slices = models.PositiveSmallIntegerField(db_default=0, default=0)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(slices__lt=4096), name="campaigns_move_is_not_done")]
