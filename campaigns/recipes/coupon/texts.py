"""The text a coupon mailing starts with."""

from campaigns.recipe import COUPON_BLOCK

SUBJECT = {
    "de": "Ein Gutschein als Dankeschön: {{ coupon_worth }}",
    "en": "A coupon to say thank you: {{ coupon_worth }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "danke, dass Sie {{ shop_name }} die Treue halten. Das ist nicht selbstverständlich, und wir wissen es zu "
            "schätzen.",
            "en": "Thank you for staying with {{ shop_name }}. We do not take it for granted.",
        },
    },
    {
        "kind": "benefit",
        "text": {
            "de": "Deshalb haben wir heute etwas für Sie: einen Gutschein, den nur Sie haben.{% if coupon_valid_until != '' %} "
            "Sie können ihn bis zum {{ coupon_valid_until }} einlösen.{% endif %} Nennen Sie den Code beim Bezahlen, im Laden "
            "oder online.",
            "en": "So today we have something for you: a coupon that is yours alone.{% if coupon_valid_until != '' %} "
            "You can use it until {{ coupon_valid_until }}.{% endif %} Give the code when you pay, in the shop or online.",
        },
    },
    COUPON_BLOCK,
    {
        "kind": "closing",
        "text": {
            "de": "Wir freuen uns auf Ihren Besuch!\n\nHerzliche Grüße\n{{ sender_name }}",
            "en": "We look forward to seeing you!\n\nKind regards\n{{ sender_name }}",
        },
    },
)
