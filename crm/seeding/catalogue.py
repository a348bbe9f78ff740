"""What the roastery sells: six categories, 120 products, and what each costs in which year."""

from dataclasses import dataclass

ORIGINS = (
    "Äthiopien Sidamo",
    "Äthiopien Yirgacheffe",
    "Kenia AA Kirinyaga",
    "Ruanda Musasa",
    "Burundi Kayanza",
    "Kolumbien Huila",
    "Brasilien Cerrado",
    "Guatemala Antigua",
    "Costa Rica Tarrazú",
    "Peru Chanchamayo",
    "Honduras Copán",
    "Indien Monsooned Malabar",
    "Sumatra Mandheling",
    "Panama Boquete",
)
BLENDS = ("Hausmischung Amsel", "Frühstücksamsel", "Nachtschicht entkoffeiniert", "Göttinger Sieben", "Adventsröstung")
ESPRESSI = (
    "Espresso Nero",
    "Espresso Zaunkönig",
    "Espresso Classico",
    "Espresso Drossel",
    "Espresso Monte Amsel",
    "Espresso Kehlchen entkoffeiniert",
    "Espresso Robusta Rot",
    "Espresso Bar",
)
MACHINES = (
    ("Siebträger Amsel Uno", 649.0),
    ("Siebträger Amsel Due, Zweikreiser", 1490.0),
    ("Siebträger Gastro G2", 3890.0),
    ("Kaffeevollautomat Merle", 899.0),
    ("Kapselsystem Fink", 149.0),
    ("Mühle Wiedehopf, Scheibenmahlwerk", 329.0),
    ("Mühle Specht, Kegelmahlwerk", 189.0),
    ("Handmühle Star", 89.0),
    ("Filtermaschine Kranich", 219.0),
    ("Milchschäumer Wolke", 69.0),
)
GEAR = (
    ("Papierfilter V60, 100 Stück", 6.9),
    ("Handfilter Keramik", 24.9),
    ("AeroPress", 39.9),
    ("French Press, 1 l", 34.9),
    ("Mokkakanne, 6 Tassen", 32.9),
    ("Feinwaage", 49.9),
    ("Tamper 58 mm", 29.9),
    ("Abklopfkasten", 27.9),
    ("Entkalker, 1 l", 9.9),
    ("Wasserfilter-Kartusche Fink", 14.9),
    ("Reinigungstabletten, 30 Stück", 11.9),
    ("Dichtungssatz Amsel Uno", 8.5),
    ("Mahlscheiben Wiedehopf", 39.0),
    ("Milchkännchen 350 ml", 19.9),
    ("Tasse Amsel, 2er", 18.9),
    ("Espressotassen, 6er", 42.0),
    ("Vorratsdose, 500 g", 22.9),
    ("Thermometer", 14.9),
    ("Kapseln Fink, 30 Stück", 12.9),
    ("Schwanenhalskessel", 64.9),
    ("Teppich für die Bar", 12.5),
    ("Pinsel für die Mühle", 7.9),
)
COURSES = (
    ("Latte Art für den Anfang", 79.0),
    ("Latte Art für Könner", 95.0),
    ("Sensorik-Abend „Kaffee und Schokolade“", 49.0),
    ("Rösten zum Zuschauen", 25.0),
    ("Siebträger-Führerschein", 119.0),
    ("Filterkaffee von Hand", 59.0),
    ("Cupping am Samstag", 29.0),
    ("Barista-Wochenende", 289.0),
    ("Kaffee für Büros", 180.0),
    ("Kinderkakao-Werkstatt", 19.0),
)
PRESENTS = (
    ("Geschenkkarton klein", 24.9),
    ("Geschenkkarton groß", 49.9),
    ("Adventskalender mit 24 Röstungen", 69.0),
    ("Probierset Afrika", 29.9),
    ("Probierset Amerika", 28.9),
    ("Gutscheinkarte 25 €", 25.0),
    ("Gutscheinkarte 50 €", 50.0),
    ("Kaffeelikör, 0,35 l", 18.9),
    ("Schokolade mit Bohnensplittern", 5.9),
    ("Trinkschokolade, 250 g", 9.9),
    ("Keksdose Amsel", 14.9),
    ("Kaffeekerze", 16.9),
    ("Kalender „Aus dem Rösthaus“", 21.9),
    ("Buch „Amselkaffee“", 26.0),
    ("Honig aus Südniedersachsen", 7.9),
    ("Schürze Rösterei Amsel", 34.9),
)
CATEGORIES = ("Bohnen", "Espresso", "Maschinen", "Zubehör", "Kurse", "Geschenke")
NO_RETURN = ("Kurse",)
INCREASE_PER_YEAR = 0.045


@dataclass(frozen=True)
class Article:
    """One product: `price` in the shop's currency when the history begins; `most` is the largest usual quantity."""

    number: str
    name: str
    category: str
    price: float
    most: int


def _listing() -> list[tuple[str, str, float, int]]:
    """(category, name, price, largest usual quantity)."""
    beans = [
        ("Bohnen", f"{name}, Bohne, {size}", price + at * 0.3, most)
        for at, name in enumerate(ORIGINS)
        for size, price, most in (("250 g", 7.9, 4), ("500 g", 14.5, 3))
    ]
    blends = [
        ("Bohnen", f"{name}, Bohne, {size}", price + at * 0.2, most)
        for at, name in enumerate(BLENDS)
        for size, price, most in (("250 g", 6.9, 4), ("500 g", 12.9, 3), ("1 kg", 23.9, 3))
    ]
    espressi = [
        ("Espresso", f"{name}, {size}", price + at * 0.25, most)
        for at, name in enumerate(ESPRESSI)
        for size, price, most in (("250 g", 7.4, 4), ("1 kg", 24.9, 3))
    ]
    rest = [
        (category, name, price, most)
        for category, items, most in (
            ("Maschinen", MACHINES, 1),
            ("Zubehör", GEAR, 3),
            ("Kurse", COURSES, 2),
            ("Geschenke", PRESENTS, 4),
        )
        for name, price in items
    ]
    return beans + blends + espressi + rest


ARTICLES = tuple(
    Article(f"A{number:04d}", name, category, round(price, 2), most)
    for number, (category, name, price, most) in enumerate(_listing(), start=1001)
)
BY_CATEGORY = {
    name: tuple(at for at, article in enumerate(ARTICLES) if article.category == name) for name in CATEGORIES
}


def price_in_cents(article: Article, year: int) -> int:
    """The unit price in year 0, 1, 2 … of the history; beans and espresso follow the market, the rest half of it."""
    rise = INCREASE_PER_YEAR if article.category in ("Bohnen", "Espresso") else INCREASE_PER_YEAR / 2
    return round(article.price * (1 + rise) ** year * 10) * 10
