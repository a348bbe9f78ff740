"""The text the thank-you starts with."""

SUBJECT = {
    "de": "Danke für Ihren Einkauf bei {{ shop_name }}",
    "en": "Thank you for your purchase at {{ shop_name }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "danke, dass Sie am {{ purchase_date }} bei uns eingekauft haben (Nummer {{ purchase_number }}). "
            "Wir freuen uns über jeden, der uns sein Vertrauen schenkt.",
            "en": "Thank you for buying from us on {{ purchase_date }} (number {{ purchase_number }}). "
            "We are glad about everyone who places their trust in us.",
        },
    },
    {
        "kind": "appreciation",
        "text": {
            "de": "Ist etwas nicht so, wie Sie es erwartet haben? Antworten Sie einfach auf diese Mail. "
            "Ich lese sie selbst und kümmere mich darum.",
            "en": "Is anything not as you expected? Just reply to this mail. I read it myself and will see to it.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Viel Freude mit Ihrem Einkauf!\n\nHerzliche Grüße\n{{ sender_name }}",
            "en": "Enjoy your purchase!\n\nKind regards\n{{ sender_name }}",
        },
    },
)
