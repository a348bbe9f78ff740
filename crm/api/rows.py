"""The batch as the OpenAPI document shows it. The rows themselves are checked by `crm.sync_checks`, much faster."""

from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers

from crm import sync
from crm.models import Customer, Purchase

NUMBER = "Number, or a number written as text with a decimal point."


class CategoryShape(serializers.Serializer):
    external_id = serializers.CharField(max_length=100)
    name = serializers.CharField(max_length=120)


class ProductShape(serializers.Serializer):
    external_id = serializers.CharField(max_length=100)
    name = serializers.CharField(max_length=200, required=False, allow_null=True)
    category = CategoryShape(required=False, allow_null=True)


class LineShape(serializers.Serializer):
    product = ProductShape(required=False, allow_null=True)
    description = serializers.CharField(max_length=200, required=False, allow_null=True)
    quantity = serializers.DecimalField(12, 3, help_text=f"More than 0. {NUMBER}")
    unit_price = serializers.DecimalField(14, 4, help_text=f"0 or more, in the row's currency. {NUMBER}")


class PostalShape(serializers.Serializer):
    street = serializers.CharField(max_length=120, required=False)
    postal_code = serializers.CharField(max_length=20, required=False)
    city = serializers.CharField(max_length=80, required=False)
    country = serializers.CharField(max_length=60, required=False)


class CustomerShape(serializers.Serializer):
    """Left out, a field keeps its value; null or "" clears it. The value with the latest version wins, per field."""

    external_id = serializers.CharField(max_length=100)
    version = serializers.DateTimeField(
        required=False, help_text="Your time of the last change; else the row's version."
    )
    kind = serializers.ChoiceField(Customer.Kind.choices, required=False, allow_null=True)
    salutation = serializers.ChoiceField(
        Customer.Salutation.choices, required=False, allow_null=True, help_text="As the customer said; never guessed."
    )
    title = serializers.CharField(max_length=40, required=False, allow_null=True)
    given_name = serializers.CharField(max_length=80, required=False, allow_null=True)
    family_name = serializers.CharField(max_length=80, required=False, allow_null=True)
    company_name = serializers.CharField(max_length=120, required=False, allow_null=True)
    birthday = serializers.CharField(required=False, allow_null=True, help_text="MM-DD or YYYY-MM-DD.")
    language = serializers.ChoiceField(["de", "en"], required=False, allow_null=True)
    email = serializers.EmailField(required=False, allow_null=True)
    phone = serializers.CharField(max_length=40, required=False, allow_null=True)
    postal = PostalShape(required=False, allow_null=True)
    notice_version = serializers.CharField(
        max_length=40,
        required=False,
        help_text="Version of the notice on the right to object that stood where the address was asked for.",
    )
    since = serializers.DateField(required=False, allow_null=True)
    attributes = serializers.DictField(
        required=False, allow_null=True, help_text="Your own fields, replaced as a whole."
    )


class RecordShape(serializers.Serializer):
    external_id = serializers.CharField(max_length=100, help_text="Your number of this record.")
    version = serializers.DateTimeField(
        required=False, help_text="Your time of the last change, with zone. Without it, the time of the record itself."
    )
    customer = CustomerShape(required=False, allow_null=True, help_text="null for an anonymous sale.")
    currency = serializers.RegexField(r"^[A-Z]{3}$")
    rate = serializers.DecimalField(
        14, 6, required=False, allow_null=True, help_text="What 1 of a foreign currency was worth in the shop's own."
    )
    lines = serializers.ListField(child=LineShape(), min_length=1, help_text="Replaced as a whole by a later version.")


class PurchaseShape(RecordShape):
    ordered_at = serializers.DateTimeField(help_text="With zone, such as 2026-11-02T15:04:00+01:00.")
    status = serializers.ChoiceField(Purchase.Status.choices)
    place = serializers.CharField(max_length=60, required=False, allow_null=True, help_text="Shop, till or web site.")


class ReturnShape(RecordShape):
    returned_at = serializers.DateTimeField(help_text="With zone.")
    purchase = serializers.CharField(
        max_length=100,
        required=False,
        allow_null=True,
        help_text="Your number of the purchase. Without it, the customer's latest earlier purchases are lowered.",
    )


class BatchShape(serializers.Serializer):
    historic = serializers.BooleanField(required=False, default=False, help_text="true for a backfill: causes no mail.")
    purchases = serializers.ListField(child=PurchaseShape(), required=False, max_length=1000)
    returns = serializers.ListField(child=ReturnShape(), required=False, max_length=1000)


class ProblemShape(serializers.Serializer):
    code = serializers.CharField()
    field = serializers.CharField(help_text="Where in the row, such as lines[0].quantity.")
    message = serializers.CharField(help_text="In the language of Accept-Language.")


class AnswerShape(serializers.Serializer):
    external_id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(sync.STATUSES)
    errors = ProblemShape(many=True)  # type: ignore[assignment]


class AnswersShape(serializers.Serializer):
    """One answer for each row, in the order of the rows."""

    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by status.")
    purchases = AnswerShape(many=True)
    returns = AnswerShape(many=True)


EXAMPLES = [
    OpenApiExample(
        "A purchase with its customer, and a return",
        request_only=True,
        value={
            "purchases": [
                {
                    "external_id": "W-20417",
                    "ordered_at": "2026-11-02T15:04:00+01:00",
                    "version": "2026-11-02T15:06:10+01:00",
                    "status": "paid",
                    "currency": "EUR",
                    "place": "Web shop",
                    "customer": {
                        "external_id": "C-77",
                        "given_name": "Jonas",
                        "family_name": "Beispiel",
                        "email": "jonas@example.test",
                        "notice_version": "2026-01",
                    },
                    "lines": [
                        {
                            "product": {
                                "external_id": "GR-58",
                                "name": "Grinder 58 mm",
                                "category": {"external_id": "grinders", "name": "Grinders"},
                            },
                            "quantity": 1,
                            "unit_price": "129.90",
                        }
                    ],
                }
            ],
            "returns": [
                {
                    "external_id": "R-311",
                    "purchase": "W-20301",
                    "returned_at": "2026-11-02T11:00:00+01:00",
                    "currency": "EUR",
                    "lines": [{"product": {"external_id": "CUP-2"}, "quantity": 2, "unit_price": "7.50"}],
                }
            ],
        },
    ),
    OpenApiExample(
        "The answer",
        response_only=True,
        value={
            "counts": {"created": 1, "updated": 0, "unchanged": 0, "stale": 0, "held": 1, "invalid": 0},
            "purchases": [{"external_id": "W-20417", "status": "created", "errors": []}],
            "returns": [
                {
                    "external_id": "R-311",
                    "status": "held",
                    "errors": [
                        {
                            "code": "unknown_purchase",
                            "field": "purchase",
                            "message": "The purchase W-20301 has not arrived yet. "
                            "The return counts as soon as it does.",
                        }
                    ],
                }
            ],
        },
    ),
]
