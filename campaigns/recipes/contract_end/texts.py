"""The text that tells the end of a contract's term. It offers a talk and nothing else: an offer would be advertising."""

SUBJECT = {
    "de": "Ihr Vertrag mit {{ shop_name }}: Die Laufzeit endet am {{ contract_end }}",
    "en": "Your contract with {{ shop_name }}: the term ends on {{ contract_end }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "danke für das Vertrauen, das Sie {{ shop_name }} mit Ihrem Vertrag schenken.",
            "en": "Thank you for the trust you place in {{ shop_name }} with your contract.",
        },
    },
    {
        "kind": "reason",
        "text": {
            "de": "Die vereinbarte Laufzeit endet nach unseren Unterlagen am {{ contract_end }}."
            "{% if contract_renews != '' %} Kündigt bis dahin niemand fristgerecht, verlängert sich der Vertrag."
            "{% endif %} Wir sagen es Ihnen früh, damit Sie in Ruhe entscheiden können.",
            "en": "By our records the agreed term ends on {{ contract_end }}."
            "{% if contract_renews != '' %} Unless one of us gives notice in time, the contract then renews."
            "{% endif %} We tell you early so that you can decide at leisure.",
        },
    },
    {
        "kind": "reason",
        "text": {
            "de": "Was danach sein soll, besprechen wir gern mit Ihnen: so weiter, anders oder gar nicht. Antworten Sie "
            "einfach auf diese Mail und nennen Sie Tag und Uhrzeit, die Ihnen passen. Sie sprechen mit: {{ signed_by }}.",
            "en": "We are happy to talk with you about what should come next: as before, differently, or not at all. Just "
            "reply to this mail with a day and time that suit you. You will talk to: {{ signed_by }}.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Wir sind gern für Sie da.\n\nFreundliche Grüße\n{{ signed_by }}",
            "en": "We are happy to be of help.\n\nKind regards\n{{ signed_by }}",
        },
    },
)
