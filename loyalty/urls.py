from django.urls import include, path

from loyalty.views import overview, rules

urlpatterns = [
    path("settings/rules/", rules.edit, name="rules"),
    path("insights/", overview.insights, name="insights"),
    path("insights/refresh/", overview.refresh, name="insights_refresh"),
    path("", include("loyalty.coupons.urls")),
]
