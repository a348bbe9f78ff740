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
            "Wir freuen uns über das Vertrauen, das Sie uns damit schenken.",
            "en": "Thank you for buying from us on {{ purchase_date }} (number {{ purchase_number }}). "
            "We are glad about the trust you place in us.",
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
            "de": "Viel Freude mit Ihrem Einkauf!\n\nHerzliche Grüße\n{{ signed_by }}",
            "en": "Enjoy your purchase!\n\nKind regards\n{{ signed_by }}",
        },
    },
)
