from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from crm.api.purchases import PurchaseBatch
from crm.views import customers, health, privacy, privacy_lists, profile, records, session, settings

urlpatterns = [
    path("", customers.start, name="start"),
    path("customers/", customers.customers, name="customers"),
    path("customers/<int:pk>/", profile.customer, name="customer"),
    path("customers/<int:pk>/contacts/", records.record_contact, name="record_contact"),
    path("customers/<int:pk>/complaints/", records.open_complaint, name="open_complaint"),
    path("customers/<int:pk>/facts/", records.record_barriers, name="record_barriers"),
    path("alerts/<int:pk>/settle/", records.settle_alert, name="settle_alert"),
    path("complaints/<int:pk>/", records.complaint, name="complaint"),
    path("complaints/<int:pk>/change/", records.change_complaint, name="change_complaint"),
    path("complaints/<int:pk>/answer/", records.answer_complaint, name="answer_complaint"),
    path("complaints/<int:pk>/close/", records.close_complaint, name="close_complaint"),
    path("customers/<int:pk>/privacy/", privacy.desk, name="privacy_desk"),
    path("customers/<int:pk>/privacy/requests/", privacy.record, name="privacy_record"),
    path("customers/<int:pk>/privacy/data/", privacy.data, name="privacy_data"),
    path("customers/<int:pk>/privacy/download/", privacy.download, name="privacy_download"),
    path("customers/<int:pk>/privacy/rectify/", privacy.mend, name="privacy_rectify"),
    path("customers/<int:pk>/privacy/restrict/", privacy.restrict, name="privacy_restrict"),
    path("customers/<int:pk>/privacy/object/", privacy.object_to_advertising, name="privacy_object"),
    path("customers/<int:pk>/privacy/erase/", privacy.erase, name="privacy_erase"),
    path("customers/<int:pk>/privacy/proof/<slug:purpose>/<slug:channel>/", privacy.proof_sheet, name="privacy_proof"),
    path("privacy/", privacy_lists.due, name="privacy"),
    path("privacy/requests/<int:pk>/close/", privacy_lists.close, name="privacy_close"),
    path("privacy/requests/<int:pk>/extend/", privacy_lists.extend, name="privacy_extend"),
    path("privacy/retention/", privacy_lists.keeping, name="privacy_retention"),
    path("privacy/trail/", privacy_lists.trail, name="privacy_trail"),
    path("privacy/sealed/<uuid:pk>/open/", privacy.open_sealed, name="privacy_sealed"),
    path("settings/", settings.shop, name="settings"),
    path("settings/sources/", settings.sources, name="settings_sources"),
    path("settings/keys/<int:pk>/revoke/", settings.revoke_key, name="revoke_key"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("session/language", session.language, name="language"),
    path("session/theme", session.theme, name="theme"),
    path("api/v1/purchases/batch", PurchaseBatch.as_view(), name="purchases_batch"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
]
