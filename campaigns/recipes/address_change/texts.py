"""The text of the mail to a new address. It promises nothing and praises nothing: anything else would be advertising."""

SUBJECT = {
    "de": "Bitte bestätigen Sie Ihre neue E-Mail-Adresse bei {{ shop_name }}",
    "en": "Please confirm your new e-mail address at {{ shop_name }}",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "reason",
        "text": {
            "de": "bei {{ shop_name }} wurde diese E-Mail-Adresse als neue Adresse angegeben. Waren Sie das? "
            "Dann bestätigen Sie es bitte auf der Seite, die sich hier öffnet.",
            "en": "This e-mail address was entered at {{ shop_name }} as somebody's new address. "
            "Was it you? Then please confirm it on the page that opens here.",
        },
    },
    {
        "kind": "cta",
        "url": "{{ confirm_url }}",
        "text": {"de": "Neue Adresse bestätigen", "en": "Confirm new address"},
    },
    {
        "kind": "reason",
        "text": {
            "de": "Der Link gilt sieben Tage. Waren Sie es nicht, brauchen Sie nichts zu tun: Ohne Bestätigung "
            "ändert sich nichts, und die Adresse wird gelöscht.",
            "en": "The link is valid for seven days. If it was not you, there is nothing to do: without a confirmation "
            "nothing changes, and the address is deleted.",
        },
    },
    {
        "kind": "closing",
        "text": {"de": "Freundliche Grüße\n{{ sender_name }}", "en": "Kind regards\n{{ sender_name }}"},
    },
)
