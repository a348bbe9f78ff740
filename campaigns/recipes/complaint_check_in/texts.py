"""The text of the check-in. It handles the case and asks for no opinion: anything else would be advertising."""

SUBJECT = {
    "de": "Ihre Reklamation {{ complaint_number }}: Ist alles gelöst?",
    "en": "Your complaint {{ complaint_number }}: is everything solved?",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "danke, dass Sie uns offen gesagt haben, was nicht in Ordnung war.",
            "en": "Thank you for telling us openly what was wrong.",
        },
    },
    {
        "kind": "reason",
        "text": {
            "de": "Am {{ closed_on }} haben wir Ihre Reklamation {{ complaint_number }} abgeschlossen. "
            "Wir melden uns noch einmal, weil wir sicher sein möchten, dass nichts offen geblieben ist.",
            "en": "On {{ closed_on }} we closed your complaint {{ complaint_number }}. "
            "We write once more because we want to be sure that nothing was left open.",
        },
    },
    {
        "kind": "reason",
        "text": {
            "de": "Fehlt noch etwas? Dann antworten Sie bitte einfach auf diese Mail, und wir kümmern uns sofort darum. "
            "Ist alles gelöst, brauchen Sie nichts zu tun.",
            "en": "Is anything still missing? Then please just reply to this mail and we will see to it at once. "
            "If everything is solved, there is nothing to do.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Danke für Ihre Geduld.\n\nFreundliche Grüße\n{{ signed_by }}",
            "en": "Thank you for your patience.\n\nKind regards\n{{ signed_by }}",
        },
    },
)
