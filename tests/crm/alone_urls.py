"""All URLs of an installation in which crm is the only app of ours."""

from django.urls import include, path

urlpatterns = [
    path("", include("crm.urls")),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
