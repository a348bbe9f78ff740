from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Actions")

    def ready(self) -> None:
        from campaigns.plugin import CampaignsPlugin
        from crm import plugins

        plugins.register(CampaignsPlugin())
        if settings.EMAIL_BACKEND.startswith("anymail."):
            from campaigns import webhooks  # noqa: F401 - its check has to be known before the checks run
