"""The text a new mailing starts with."""

SUBJECT = {
    "de": "Neues von {{ shop_name }}",
    "en": "News from {{ shop_name }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "schön, dass Sie uns verbunden sind. Heute haben wir Neuigkeiten für Sie.",
            "en": "It is good to have you with us. Today we have news for you.",
        },
    },
    {
        "kind": "closing",
        "text": {"de": "Herzliche Grüße\n{{ sender_name }}", "en": "Kind regards\n{{ sender_name }}"},
    },
)
