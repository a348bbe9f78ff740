"""The text the birthday greeting starts with."""

SUBJECT = {
    "de": "Alles Gute zum Geburtstag",
    "en": "Happy birthday",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "alles Gute zum Geburtstag! Das ganze Team von {{ shop_name }} wünscht Ihnen einen schönen Tag "
            "und ein gesundes neues Lebensjahr.",
            "en": "Happy birthday! All of us at {{ shop_name }} wish you a wonderful day and a healthy year ahead.",
        },
    },
    {
        "kind": "appreciation",
        "text": {
            "de": "Schön, dass Sie zu unseren Kunden gehören.",
            "en": "We are glad to have you as our customer.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Feiern Sie schön!\n\nHerzliche Grüße\n{{ signed_by }}",
            "en": "Enjoy your day!\n\nKind regards\n{{ signed_by }}",
        },
    },
)
