"""The words the invented customers are made of: names, towns, companies."""

FEMALE = (
    "Anna Lena Sophie Katharina Jördis Mareike Frauke Ulrike Sabine Petra Monika Birgit Claudia Heike Nadine Julia "
    "Svenja Wiebke Antje Gesa Käthe Änne Zoë Chloé Renée Anaïs Aylin Zeynep Elif Gülşen Agnieszka Małgorzata Şule "
    "Ivana Milena Olena Oksana Fatima Leïla Thảo Noémie Maja Ronja Friederike Annegret Hannelore Ilse Gerda Rosemarie "
    "Dörte Bärbel Brünhild Lioba Theres Vroni Magdalena Johanna Charlotte Emilia Mathilda Ida Frieda Greta Hanna"
).split()
MALE = (
    "Jonas Lukas Felix Maximilian Paul Jürgen Günter Jörg Björn Sören Hauke Torben Malte Henning Kai-Uwe Hans-Peter "
    "Klaus-Dieter Karl-Heinz Wolfgang Bernd Dieter Manfred Rüdiger Götz Ägidius Xaver Korbinian Alois Mehmet Cem Emre "
    "Yiğit Özgür Tomasz Łukasz Andrzej Goran Dragan Miloš Oleksandr Dmytro Karim Youssef Nguyên René André François "
    "José Giulio Matteo Friedrich Wilhelm August Emil Anton Leopold Konstantin Valentin Moritz Ben Finn Till Ole"
).split()
NEUTRAL = "Kim Robin Sascha Toni Alex Charlie Sam Jona Luca Mika Noa Eike Bente Kaya Deniz Chris".split()

FAMILY = (
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf "
    "Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann "
    "Köhler Maier Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert "
    "Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht Schuster Simon "
    "Ludwig Böhm Winter Kraus Martin Schumacher Krämer Vogt Stein Jäger Otto Sommer Groß Seidel Heinrich Brandt Haas "
    "Schreiber Graf Schulte Dietrich Ziegler Kuhn Kühn Pohl Engel Horn Busch Bergmann Thomas Voigt Sauer Arnold Wolff "
    "Pfeiffer Größel Süßmilch Weißgerber Öztürk Yılmaz Çelik Şahin Doğan Kowalski Wiśniewska Nowak Wójcik Jovanović "
    "Petrović Horvat Kovačević Ivanenko Shevchenko Nguyen Tran Haddad Benali Rossi Moretti García Núñez Dupont Lefèvre "
    "Østergaard Åkerlund Hansen Sørensen Tüchsen Wüstenhagen Feddersen Kästner Brüggemann Löwenstein Pürckhauer "
    "Zwetschgenbauer Ackermann Drosselmeier Amelung Quistorp Ungewitter Abendroth Wiedehopf Rotkehl Fliederbusch"
).split()
NOBLE = (
    "von Amselberg",
    "von der Heide",
    "von und zu Finkenstein",
    "zu Drosselfels",
    "Freiherr von Zaunkönig",
    "Gräfin von Lerchenau",
    "von dem Bussardhorst",
    "van der Meerkoet",
    "de la Cigogne",
    "dos Andorinhas",
)
LONG = (
    "Ottovordemgentschenfelde-Schwarzkümmelberger",
    "Schnabelkraut-Wiedenbrückhausen-Hohenfinkingen",
    "Oberunterlindenhofer-Niederbachmüllersdorf",
    "Hinterstoisserbrandner-Vordergrubentaler",
)
TITLES = ("Dr.", "Dr.", "Dr.", "Prof. Dr.", "Prof. Dr. Dr. h. c.", "Dipl.-Ing.", "Mag.")

COMPANY_STEMS = (
    "Café Zaunkönig",
    "Hotel Drosselhof",
    "Kanzlei Rotkehl & Partner",
    "Architekturbüro Lichtblick",
    "Bäckerei Süßmilch",
    "Buchhandlung Eselsohr",
    "Kita Spatzennest",
    "Praxis am Wall",
    "Werbeagentur Federkiel",
    "Softwarehaus Nachtigall",
    "Schreinerei Holzwurm & Söhne",
    "Weinhandlung Kehlchen",
    "Kulturzentrum Alte Mälzerei",
    "Radwerkstatt Freilauf",
    "Institut für Vogelkunde",
    "Yogahaus Stille Post",
    "Steuerberatung Grünspecht",
    "Gärtnerei Blütezeit",
)
COMPANY_FORMS = ("GmbH", "GmbH & Co. KG", "e. V.", "OHG", "KG", "GbR", "AG", "UG (haftungsbeschränkt)", "eG")

TOWNS = (
    ("Göttingen", "37073", "Deutschland"),
    ("Göttingen", "37075", "Deutschland"),
    ("Göttingen", "37081", "Deutschland"),
    ("Northeim", "37154", "Deutschland"),
    ("Hann. Münden", "34346", "Deutschland"),
    ("Duderstadt", "37115", "Deutschland"),
    ("Kassel", "34117", "Deutschland"),
    ("Hannover", "30159", "Deutschland"),
    ("Braunschweig", "38100", "Deutschland"),
    ("Berlin", "10115", "Deutschland"),
    ("Hamburg", "20095", "Deutschland"),
    ("München", "80331", "Deutschland"),
    ("Köln", "50667", "Deutschland"),
    ("Düsseldorf", "40213", "Deutschland"),
    ("Münster", "48143", "Deutschland"),
    ("Leipzig", "04109", "Deutschland"),
    ("Nürnberg", "90402", "Deutschland"),
    ("Tübingen", "72070", "Deutschland"),
    ("Wien", "1010", "Österreich"),
    ("Zürich", "8001", "Schweiz"),
)
STREETS = (
    "Röstergasse",
    "Mühlstein-Allee",
    "An der Mokkabrücke",
    "Filterstraße",
    "Am Kaffeegarten",
    "Bohnenkamp",
    "Crema-Ufer",
    "Zum Siebträger",
    "Amselsang",
    "Tassenweg",
)
OTHER_LANGUAGES = ("Französisch", "Türkisch", "Polnisch", "Ukrainisch", "Spanisch")
BREWING = ("Siebträger", "Filter", "French Press", "Vollautomat", "Mokkakanne", "AeroPress", "Handfilter")

STAFF = (
    ("mirjam.kaestner", "Mirjam", "Kästner"),
    ("jonas.feddersen", "Jonas", "Feddersen"),
    ("leyla.brandt", "Leyla", "Brandt-Yıldız"),
    ("theo.quistorp", "Theo", "Quistorp"),
    ("ida.zaunmueller", "Ida", "Zaunmüller"),
)
