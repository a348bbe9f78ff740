from django.urls import path

from loyalty.views import overview

urlpatterns = [
    path("insights/", overview.insights, name="insights"),
    path("insights/refresh/", overview.refresh, name="insights_refresh"),
]
