"""The text the survey request starts with: it thanks, says why it asks, and leads nobody to an answer."""

SUBJECT = {
    "de": "Wie war Ihr Einkauf bei {{ shop_name }}?",
    "en": "How was your purchase at {{ shop_name }}?",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "am {{ purchase_date }} haben Sie bei uns eingekauft. Danke für Ihr Vertrauen.",
            "en": "On {{ purchase_date }} you bought something from us. Thank you for your trust.",
        },
    },
    {
        "kind": "request",
        "about": "survey",
        "text": {
            "de": "Wie ist es Ihnen seitdem damit ergangen? Das wüssten wir gern, weil wir nur so erfahren, was wir besser "
            "machen können. Sagen Sie es ruhig offen, auch wenn etwas nicht gut war. Zwei Minuten genügen.",
            "en": "How have you been getting on with it? We would like to know, because only then do we learn what to do "
            "better. Please be frank, also if something was not good. Two minutes are enough.",
        },
    },
    {
        "kind": "cta",
        "promo": False,
        "text": {"de": "Fragen beantworten", "en": "Answer the questions"},
        "url": "{{ survey_url }}",
    },
    {
        "kind": "closing",
        "text": {
            "de": "Schön, dass Sie bei uns sind.\n\nHerzliche Grüße\n{{ sender_name }}",
            "en": "It is good to have you with us.\n\nKind regards\n{{ sender_name }}",
        },
    },
)
