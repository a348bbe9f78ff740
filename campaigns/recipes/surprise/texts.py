"""The text a surprise starts with. It holds alone, and with a coupon below it."""

SUBJECT = {
    "de": "Einfach so: Wir haben an Sie gedacht",
    "en": "Just because: we thought of you",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "heute gibt es keinen Anlass, nur einen Gedanken: Es ist schön, dass Sie zu uns kommen. Das sagen wir zu "
            "selten.",
            "en": "There is no occasion today, just a thought: it is good that you come to us. We do not say so often enough.",
        },
    },
    {
        "kind": "surprise",
        "text": {
            "de": "Deshalb bekommen Sie heute Post, in der nichts von Ihnen erwartet wird. Wir möchten Ihnen nur eine kleine "
            "Freude machen.",
            "en": "That is why today you get a mail that expects nothing of you. We only want to make you smile.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Haben Sie einen schönen Tag!\n\nHerzliche Grüße\n{{ sender_name }}",
            "en": "Have a lovely day!\n\nKind regards\n{{ sender_name }}",
        },
    },
)
