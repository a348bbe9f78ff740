"""The text that thanks for a stage reached. It names the stage and no score."""

SUBJECT = {
    "de": "Danke für Ihre Treue",
    "en": "Thank you for your loyalty",
}

BLOCKS = (
    {"kind": "greeting", "text": {"de": "{{ opening }},", "en": "{{ opening }},"}},
    {
        "kind": "appreciation",
        "text": {
            "de": "seit Kurzem steht bei uns ein neues Wort neben Ihrem Namen: „{{ stage_name }}“. "
            "Das ist für uns ein schöner Anlass, Ihnen einmal ausdrücklich zu danken.",
            "en": "There is a new word beside your name in our books: “{{ stage_name }}”. "
            "For us that is a good occasion to thank you properly.",
        },
    },
    {
        "kind": "appreciation",
        "text": {
            "de": "Es bedeutet vor allem eines: Sie vertrauen uns, und das immer wieder. Haben Sie einen Wunsch, oder geht "
            "etwas besser? Antworten Sie einfach auf diese Mail, Ihr Wort hat bei uns Gewicht.",
            "en": "Above all it means one thing: you trust us, time and again. Is there something you wish for, or something "
            "we could do better? Just reply to this mail, your word counts here.",
        },
    },
    {
        "kind": "closing",
        "text": {
            "de": "Schön, dass Sie bei uns sind!\n\nHerzliche Grüße\n{{ signed_by }}",
            "en": "It is good to have you with us!\n\nKind regards\n{{ signed_by }}",
        },
    },
)
