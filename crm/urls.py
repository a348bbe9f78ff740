from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from crm.views import health

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
]
