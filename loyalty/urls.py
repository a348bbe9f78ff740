from django.urls import path

from loyalty.api import CustomerJudgement
from loyalty.api_feelings import CustomerFeelings
from loyalty.views import (
    behaviour,
    bond,
    cohorts,
    feelings,
    migration,
    motives,
    overview,
    records,
    rules,
    standing,
    what_if,
)

urlpatterns = [
    path("customers/<int:pk>/records/", records.records, name="loyalty_records"),
    path("customers/<int:pk>/records/act/", records.record_act, name="record_act"),
    path("customers/<int:pk>/records/membership/", records.record_membership, name="record_membership"),
    path("customers/<int:pk>/records/membership/<int:record>/end/", records.end_membership, name="end_membership"),
    path("customers/<int:pk>/records/<slug:kind>/<int:record>/undo/", records.undo, name="undo_record"),
    path("settings/rules/", rules.edit, name="rules"),
    path("api/v1/customers/<path:external_id>/judgement", CustomerJudgement.as_view(), name="customer_judgement"),
    path("insights/", overview.insights, name="insights"),
    path("insights/stages/", standing.stages, name="insights_stages"),
    path("insights/migration/", migration.migration, name="insights_migration"),
    path("insights/bond/", bond.bond, name="insights_bond"),
    path("api/v1/customers/<path:external_id>/feelings", CustomerFeelings.as_view(), name="customer_feelings"),
    path("insights/feelings/", feelings.page, name="insights_feelings"),
    path("insights/motivators/", motives.page, name="insights_motivators"),
    path("insights/cohorts/", cohorts.page, name="insights_cohorts"),
    path("insights/behaviour/", behaviour.page, name="insights_behaviour"),
    path("insights/what-if/", what_if.page, name="insights_what_if"),
    path("customers/<int:pk>/motivators/", motives.record, name="record_motivator"),
    path("motivators/<int:pk>/forget/", motives.forget, name="forget_motivator"),
    path("insights/refresh/", overview.refresh, name="insights_refresh"),
]
