from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from crm.views import health, session

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("session/language", session.language, name="language"),
    path("session/theme", session.theme, name="theme"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
]
