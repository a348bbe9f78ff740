from django.urls import path

from loyalty import views

urlpatterns = [path("insights/", views.insights, name="insights")]
