"""The text the win-back starts with. It gives reasons and blames nobody."""

SUBJECT = {
    "de": "Ein Wiedersehen würde uns freuen",
    "en": "It would be good to see you again",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "im {{ last_purchase_month }} haben Sie zuletzt bei {{ shop_name }} eingekauft. Danke noch einmal für "
            "Ihr Vertrauen.",
            "en": "In {{ last_purchase_month }} you last bought from {{ shop_name }}. Thank you once more for your trust.",
        },
    },
    {
        "kind": "reason",
        "text": {
            "de": "Seitdem ist einige Zeit vergangen. Vielleicht haben Sie einfach nichts gebraucht, vielleicht hat Ihnen "
            "etwas nicht gefallen. Beides ist in Ordnung. Wir fragen nach, weil wir nur verbessern können, was wir wissen.",
            "en": "Some time has passed since. Perhaps you simply needed nothing, perhaps something was not to your "
            "liking. Either is fine. We ask because we can only improve what we know about.",
        },
    },
    {
        "kind": "request",
        "text": {
            "de": "Lag es an uns? Dann genügt ein Satz als Antwort auf diese Mail. Wir lesen jede Antwort.",
            "en": "Was it something about us? Then one sentence in reply to this mail is enough. We read every answer.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Sie sind uns jederzeit willkommen.\n\nHerzliche Grüße\n{{ signed_by }}",
            "en": "You are welcome at any time.\n\nKind regards\n{{ signed_by }}",
        },
    },
)
