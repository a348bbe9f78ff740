"""All URLs. Each view declares its access (`crm.access`); the start fails for one that does not."""

from django.conf import settings
from django.urls import include, path

from crm import plugins

urlpatterns = [
    path("", include("loyalty.coupons.urls")),  # first, because a till waits for them
    path("", include("crm.urls")),
    path("", include("loyalty.urls")),
    path("", include("campaigns.urls")),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
if settings.DEMO:
    from config.demo_mail import DemoPlugin

    plugins.register(DemoPlugin())
    urlpatterns.append(path("demo/", include("config.demo_mail")))

handler404 = "crm.api.errors.not_found"
