"""A mail asked a customer how it was: who may answer, once, and what it was about."""

from django.db import models


class SurveyInvitation(models.Model):
    """The link of one mail to the questionnaire. Of its token only the SHA-256 is kept; it is good for one answer.

    `response` is the number of the mail's delivery, and becomes `Answer.response`: so each answer names the mail that
    asked for it, and the mail names its answers. `purchase` is what the mail asked about.
    """

    digest = models.CharField(max_length=64, unique=True)
    customer = models.ForeignKey("crm.Customer", models.CASCADE, related_name="survey_invitations")
    purchase = models.ForeignKey("crm.Purchase", models.SET_NULL, null=True, blank=True, related_name="+")
    response = models.UUIDField(unique=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="crm_survey_invitation_expiry")]
