"""What is said in the invented shop: notes of staff, words of customers, complaints and how they ended."""

# (touchpoint, channel, note, emotions that fit it)
GLAD = (
    (
        "advice",
        "shop",
        "Kam auf die Empfehlung vom letzten Mal zurück, nimmt den Sidamo jetzt regelmäßig.",
        "pleased valued trusting",
    ),
    (
        "advice",
        "shop",
        "Lange über Mahlgrade gesprochen, wollte es zu Hause gleich ausprobieren.",
        "interested exploratory stimulated",
    ),
    (
        "advice",
        "phone",
        "Fragte nach einem Geschenk für die Schwester. Probierset empfohlen, hat sich bedankt.",
        "cared_for pleased happy",
    ),
    ("product", "mail", "Schreibt, der Nero schmecke wie im Urlaub.", "happy indulgent energetic"),
    ("product", "shop", "Hat die neue Ernte verkostet und zwei Pfund mitgenommen.", "interested stimulated pleased"),
    (
        "service",
        "phone",
        "Dichtung am Telefon erklärt, nach zwei Minuten lief die Maschine wieder.",
        "cared_for safe trusting",
    ),
    ("service", "shop", "Mühle eingestellt, keine Rechnung gestellt. Freude groß.", "valued happy cared_for"),
    ("delivery", "mail", "Bedankt sich für die Karte im Paket.", "valued happy"),
    (
        "aftercare",
        "phone",
        "Nachgefragt, ob die Maschine läuft. Alles bestens, bringt beim nächsten Mal die Tochter mit.",
        "cared_for valued trusting",
    ),
    ("order", "chat", "Lieferrhythmus umgestellt, ging in einem Zug.", "safe focused pleased"),
    ("aftercare", "social", "Hat ein Bild vom Sonntagskaffee geteilt, Danke geschrieben.", "happy energetic"),
)
PLAIN = (
    ("order", "phone", "Nachbestellt, Lieferung wie immer.", "safe focused"),
    ("advice", "shop", "Kurz nach der Röstung gefragt, nahm die Hausmischung.", "interested"),
    ("payment", "mail", "Rechnung mit anderer Anschrift erbeten, geschickt.", "focused hurried"),
    ("delivery", "phone", "Wollte wissen, wann das Paket kommt.", "interested hurried"),
    ("service", "chat", "Frage zur Entkalkung beantwortet.", "focused interested"),
)
SORE = (
    (
        "delivery",
        "phone",
        "Paket kam zwei Tage zu spät, niemand hatte Bescheid gesagt.",
        "disappointed neglected irritated",
    ),
    ("service", "phone", "War dreimal in der Warteschleife und hatte wenig Zeit.", "hurried irritated stressed"),
    ("product", "shop", "Bohnen seien diesmal zu dunkel geröstet.", "unsatisfied disappointed"),
    ("payment", "mail", "Doppelt abgebucht, Erstattung zugesagt.", "irritated stressed frustrated"),
    ("order", "chat", "Kasse im Webshop brach ab, Bestellung am Ende telefonisch aufgenommen.", "frustrated hurried"),
    ("complaint", "shop", "Fühlt sich bei der Reklamation nicht ernst genommen.", "neglected unhappy frustrated"),
    ("service", "mail", "Antwort kam erst nach fünf Tagen.", "neglected unsatisfied"),
)

COMPLAINTS = {
    "high": (
        "Die Mühle mahlt seit zwei Wochen ungleichmäßig, und am Telefon kam ich dreimal nicht durch.",
        "Die Maschine verliert Wasser, der Termin zur Reparatur wurde zweimal verschoben.",
        "Im Paket lag eine zerbrochene Kanne, auf meine Mail hat niemand geantwortet.",
    ),
    "medium": (
        "Statt ganzer Bohnen kam gemahlener Kaffee.",
        "Der Kurs fiel aus, ich erfuhr es erst vor der Tür.",
        "Die Rechnung stimmt zum zweiten Mal nicht.",
    ),
    "low": (
        "Die Tüte ließ sich nicht wieder verschließen.",
        "Der Gruß im Paket fehlte, obwohl ich ihn bestellt hatte.",
        "Eine Tasse hatte einen kleinen Farbfehler.",
    ),
}
RESOLUTIONS = (
    "Entschuldigt, Ersatz am selben Tag geschickt, nach einer Woche nachgefragt: alles gut.",
    "Betrag erstattet und eine Tüte Sidamo dazugelegt.",
    "Mühle im Laden überholt, Leihmühle mitgegeben.",
)
COMMENTS_GLAD = (
    "Man merkt, dass hier Leute arbeiten, die ihren Kaffee mögen.",
    "Die Beratung ist wie immer herzlich.",
    "Ich komme gern, auch wenn der Weg weit ist.",
)
COMMENTS_SORE = (
    "Ich bestelle nur noch, weil der Vertrag läuft.",
    "Früher war das persönlicher.",
    "Die Lieferung kam zwei Tage zu spät, und keiner sagte warum.",
)
REFERRALS = "Hat beim Einkauf den Namen genannt."
ACTS = {
    "own_review": "Fünf Sterne und drei schöne Sätze auf der Bewertungsseite.",
    "testimonial": "Darf mit Bild auf der Seite des Ladens stehen, Einverständnis liegt vor.",
    "defence": "Hat uns in der Stadtgruppe gegen einen Vorwurf verteidigt.",
    "incentivised_review": "Bewertung im Rahmen der Probieraktion, als solche gekennzeichnet.",
    "social_mention": "Bild vom Siebträger mit unserem Namen geteilt.",
    "reported_recommendation": "Erzählt, sie habe uns im Büro empfohlen.",
}
GATHERINGS = ("Sensorik-Abend „Kaffee und Schokolade“", "Tag der offenen Rösterei", "Cupping mit der Kooperative")
CLUB, CONTEST = "Amsel-Kreis", "Rätsel im Adventskalender"
MOTIVATORS = (
    "stand_out confidence_future wellbeing freedom thrill belonging environment ideal_self secure succeed"
).split()
MOTIVATOR_NOTES = {
    "environment": "Fragt bei jedem Kaffee nach der Kooperative.",
    "wellbeing": "Der erste Kaffee am Morgen sei ihre halbe Stunde Ruhe.",
    "belonging": "Kommt am liebsten zu den Abenden.",
    "thrill": "Kauft jede Rarität.",
}
