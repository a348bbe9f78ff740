from django.urls import path

from campaigns import api, public
from campaigns.views import drafts, mailing, overview, tracking

urlpatterns = [
    path("u/<str:token>/", public.unsubscribe, name="unsubscribe"),
    path("l/<str:token>/", public.link, name="counted_link"),
    path("o/<str:token>.gif", public.pixel, name="pixel"),
    path("webhooks/receipts/", api.Receipts.as_view(), name="receipts"),
    path("api/v1/runs/", api.RunList.as_view(), name="api-runs"),
    path("api/v1/runs/<int:pk>/", api.RunDetail.as_view(), name="api-run"),
    path("campaigns/", overview.campaigns, name="campaigns"),
    path("campaigns/recipes/<slug:code>/switch", overview.switch, name="recipe_switch"),
    path("campaigns/recipes/<slug:code>/coupon", overview.coupon, name="recipe_coupon"),
    path("campaigns/tracking/switch", tracking.switch, name="tracking_switch"),
    path("campaigns/mailings/new", drafts.new, name="mailing_new"),
    path("campaigns/mailings/audience", drafts.audience, name="mailing_audience"),
    path("campaigns/mailings/<int:pk>/", mailing.mailing, name="mailing"),
    path("campaigns/mailings/<int:pk>/preview", drafts.preview, name="mailing_preview"),
    path("campaigns/mailings/<int:pk>/state", mailing.state, name="mailing_state"),
    path("campaigns/mailings/<int:pk>/test", drafts.test_mail, name="mailing_test"),
    path("campaigns/mailings/<int:pk>/launch", mailing.launch, name="mailing_launch"),
    path("campaigns/mailings/<int:pk>/copy", overview.copy, name="mailing_copy"),
    path("campaigns/mailings/<int:pk>/pause", mailing.steer, {"verb": "pause"}, name="mailing_pause"),
    path("campaigns/mailings/<int:pk>/resume", mailing.steer, {"verb": "resume"}, name="mailing_resume"),
    path("campaigns/mailings/<int:pk>/cancel", mailing.steer, {"verb": "cancel"}, name="mailing_cancel"),
    path("customers/<int:pk>/mails", overview.customer_mails, name="customer_mails"),
]
