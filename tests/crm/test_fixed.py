"""Statements that are built once read the same as the query builder's."""

import pytest
from django.db import models
from django.forms.models import model_to_dict

from crm.fixed import Fixed
from crm.models import ApiKey, Shop, Source
from tests.factories import SourceFactory

pytestmark = pytest.mark.django_db


def test_a_row_is_read_as_the_query_builder_reads_it():
    assert model_to_dict(Fixed("FROM crm_shop", Shop).first()[0]) == model_to_dict(Shop.current())


def test_several_models_come_from_one_row_and_can_be_saved():
    source = SourceFactory(name="till")
    ApiKey.issue(source, ["coupons:redeem"], source.created_at)
    both = Fixed("FROM crm_apikey, crm_source WHERE crm_source.name = %s", ApiKey, Source)
    key, found = both.first("till")
    assert (key.source_id, key.scopes, found.name) == (source.pk, ["coupons:redeem"], "till")
    found.name = "shop"
    found.save()
    assert Source.objects.get().name == "shop"
    assert both.first("nobody") is None


def test_a_field_that_the_driver_cannot_read_alone_is_refused():
    class Odd(models.Model):
        lasting = models.JSONField()

        class Meta:
            app_label = "tests"
            managed = False

    with pytest.raises(TypeError, match="not read by the driver alone"):
        Fixed("FROM tests_odd", Odd).first()
