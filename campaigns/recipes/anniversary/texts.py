"""The text the anniversary starts with, and how years are counted in words."""

SUBJECT = {
    "de": "Danke für {{ time_together }} mit Ihnen",
    "en": "Thank you for {{ time_together }} with us",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "am {{ first_purchase_date }} haben Sie zum ersten Mal bei {{ shop_name }} eingekauft. "
            "Das ist jetzt {{ time_together }} her.",
            "en": "On {{ first_purchase_date }} you bought from {{ shop_name }} for the first time. "
            "That was {{ time_together }} ago.",
        },
    },
    {
        "kind": "appreciation",
        "text": {
            "de": "Dass Sie uns die Treue halten, ist nicht selbstverständlich, und wir wissen es zu schätzen. "
            "Vielen Dank dafür!",
            "en": "We do not take it for granted that you have stayed with us. Thank you!",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Wir freuen uns auf das nächste Jahr mit Ihnen.\n\nHerzliche Grüße\n{{ signed_by }}",
            "en": "We look forward to the next year with you.\n\nKind regards\n{{ signed_by }}",
        },
    },
)

YEARS = {"de": ("ein Jahr", "Jahre"), "en": ("one year", "years")}
# From two to twelve.
IN_WORDS = {
    "de": ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf"),
    "en": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
}
