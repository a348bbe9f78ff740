"""A page for tests alone: every component once, with long names, unknowns and both extremes."""

from datetime import UTC, date, datetime
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from config.urls import urlpatterns as product
from crm.access import public

STAGES = ["Interessent", "Erstkunde", "Wiederkäufer", "Stammkunde", "Loyaler Kunde", "Botschafter"]


class GalleryForm(forms.Form):
    name = forms.CharField(label="Name", help_text="Wie im Impressum, höchstens 60 Zeichen.")
    amount = forms.DecimalField(label="Betrag", required=False, min_value=0)
    stage = forms.ChoiceField(label="Stufe", choices=list(enumerate(STAGES)))
    note = forms.CharField(label="Notiz", widget=forms.Textarea, required=False)
    agreed = forms.BooleanField(label="Einwilligung liegt vor")
    way = forms.ChoiceField(label="Weg", choices=[("mail", "E-Mail"), ("post", "Post")], widget=forms.RadioSelect)
    topics = forms.MultipleChoiceField(
        label="Themen", choices=[("a", "Bohnen"), ("b", "Kurse")], widget=forms.CheckboxSelectMultiple, required=False
    )


def context() -> dict[str, object]:
    reached = [None, date(2024, 2, 14), date(2024, 5, 2), date(2024, 7, 9), None, None]
    return {
        "form": GalleryForm({"name": "", "amount": "-5", "stage": "3"}),
        "stages": list(zip(STAGES, reached, strict=True)),
        "moment": datetime(2026, 11, 20, 15, 42, tzinfo=UTC),
        "conditions": [
            ("met", "Stufe Stammkunde, Status aktiv"),
            ("missing", "keine offene Reklamation der Schwere hoch"),
            ("unknown", "Haltung mindestens 70, belegt: keine Antworten"),
            ("warning", "Verhalten teilweise erzwungen"),
        ],
        "lines": [("Lieferplan eingerichtet", "+30"), ("33 Monate dabei", "+20"), ("Schulung", "unbekannt")],
        "total": ("50 Punkte × 0,6, stärkster Riegel zählt voll", "30"),
        "amount": Decimal("-1234.5"),
        "crumbs": [("Kunden", "/"), ("K-104217", "")],
        "facts": [("Letzter Kauf", "vor 19 Tagen"), ("NPS", None), ("Kauft", "Bohnen, Kurse")],
        "columns": [
            ("Name", "?sort=name", "", "ascending"),
            ("Stufe", "", "", ""),
            ("Netto", "?sort=net", "num", ""),
            ("Letzter Kauf", "", "", ""),
        ],
        "people": [
            ("Dr. Jördis Wüstenhagen-Özdemir", 3, "Stammkunde", Decimal("921.40"), date(2026, 11, 4)),
            ("Maximilian Freiherr von und zu Aufseß-Donaudampfschifffahrt", 5, "Botschafter", Decimal("12"), None),
            ("Ólafur Brandt", 0, "Interessent", None, None),
        ],
        "parts": [
            (name, value, f"s{n}") for n, (name, value) in enumerate(zip(STAGES, [845, 1742, 968, 824, 349, 84]))
        ],
        "none": [(name, 0, f"s{n}") for n, name in enumerate(STAGES)],
        "segments": [("shop", "Laden"), ("phone", "Telefon"), ("mail", "Mail")],
        "bolts": [36, 4],
        "answers": [2.2, 3.4, 4.6],
    }


@public
def gallery(request: HttpRequest) -> HttpResponse:
    return render(request, "gallery.html", context())


@public
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("provoked by a test")


urlpatterns = [
    *product,
    path("gallery/", gallery, name="gallery"),
    path("gallery/broken", broken),
]
