"""The text of the confirmation mail. It promises nothing and praises nothing: anything else would be advertising."""

SUBJECT = {
    "de": "Bitte bestätigen Sie Ihre Anmeldung bei {{ shop_name }}",
    "en": "Please confirm your sign-up at {{ shop_name }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "reason",
        "text": {
            "de": "bei {{ shop_name }} wurde diese E-Mail-Adresse angegeben und folgendem zugestimmt: {{ purposes }}. "
            "Waren Sie das? Dann bestätigen Sie es bitte auf der Seite, die sich hier öffnet.",
            "en": "This e-mail address was entered at {{ shop_name }}, agreeing to: {{ purposes }}. "
            "Was it you? Then please confirm it on the page that opens here.",
        },
    },
    {
        "kind": "cta",
        "url": "{{ confirm_url }}",
        "text": {"de": "Anmeldung bestätigen", "en": "Confirm sign-up"},
    },
    {
        "kind": "reason",
        "text": {
            "de": "Der Link gilt sieben Tage. Waren Sie es nicht, brauchen Sie nichts zu tun: Ohne Bestätigung "
            "schreiben wir Ihnen nicht, und die Anmeldung wird gelöscht.",
            "en": "The link is valid for seven days. If it was not you, there is nothing to do: without a confirmation "
            "we will not write to you, and the sign-up is deleted.",
        },
    },
    {
        "kind": "closing",
        "text": {"de": "Freundliche Grüße\n{{ sender_name }}", "en": "Kind regards\n{{ sender_name }}"},
    },
)
