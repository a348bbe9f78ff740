"""The text an invitation starts with."""

SUBJECT = {
    "de": "Einladung: {{ gathering_title }} am {{ gathering_day }}",
    "en": "You are invited: {{ gathering_title }} on {{ gathering_day }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "schön, dass Sie {{ shop_name }} verbunden sind. Wir möchten Sie gern als Gast begrüßen und laden Sie "
            "herzlich ein.",
            "en": "Thank you for staying in touch with {{ shop_name }}. We would like to welcome you as our guest.",
        },
    },
    {
        "kind": "benefit",
        "text": {
            "de": "{{ gathering_title }}\n{{ gathering_day }}, {{ gathering_time }}\n{{ gathering_place }}",
            "en": "{{ gathering_title }}\n{{ gathering_day }}, {{ gathering_time }}\n{{ gathering_place }}",
        },
    },
    {
        "kind": "request",
        "text": {
            "de": "Möchten Sie kommen? {% if answer_link != '' %}Dann sagen Sie bitte auf dieser Seite zu"
            "{% else %}Dann antworten Sie bitte auf diese Mail{% endif %}"
            "{% if answer_until != '' %}, am besten bis zum {{ answer_until }}{% endif %}"
            "{% if answer_link != '' %}: {{ answer_link }}{% else %}.{% endif %}",
            "en": "Would you like to come? {% if answer_link != '' %}Then please say so on this page"
            "{% else %}Then please reply to this mail{% endif %}"
            "{% if answer_until != '' %}, best by {{ answer_until }}{% endif %}"
            "{% if answer_link != '' %}: {{ answer_link }}{% else %}.{% endif %}",
        },
    },
    {
        "kind": "reason",
        "text": {
            "de": "So wissen wir, mit wie vielen Gästen wir rechnen dürfen, und können alles gut vorbereiten.",
            "en": "That way we know how many guests to expect and can prepare everything well.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Wir freuen uns auf Sie!\n\nHerzliche Grüße\n{{ sender_name }}",
            "en": "We look forward to seeing you!\n\nKind regards\n{{ sender_name }}",
        },
    },
)
