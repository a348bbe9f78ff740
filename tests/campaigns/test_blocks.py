"""Texts as typed blocks: what may be kept, and the plain form of each block."""

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict

from campaigns import blocks, rendering
from campaigns.blocks import BlockKind
from campaigns.editor import Editor
from campaigns.filling import COMMON_VALUES
from campaigns.models import Campaign, Segment, SegmentMember, TemplateVersion
from tests.campaigns.people import person
from tests.campaigns.test_pages import as_role, text_of
from tests.campaigns.writing import filled, posted, text_form
from tests.factories import CampaignFactory

pytestmark = pytest.mark.django_db
GREETING = {"kind": "greeting", "text": {"de": "{{ opening }},"}}
CLOSING = {"kind": "closing", "text": {"de": "Gruß"}}


@pytest.fixture
def marketer():
    return as_role("marketer")


def edited(**changed):
    """An editor of a posted text."""
    data = QueryDict(mutable=True)
    data.update(text_form() | changed)
    return Editor(language="de", values=COMMON_VALUES, data=data)


def faults(**changed):
    """Everything that an editor says about a posted text, on one line."""
    editor = edited(**changed)
    assert not editor.is_valid()
    forms = (editor.subject, *editor.blocks)
    return " ".join(
        [*editor.errors, *(str(error) for form in forms for each in form.errors.values() for error in each)]
    )


# What may be kept


@pytest.mark.parametrize(
    ("block", "word"),
    [
        ({"kind": "king", "text": {"de": "x"}}, "no such kind"),
        ({"kind": "reason", "text": "x"}, "one text"),
        ({"kind": "reason", "text": {"fr": "x"}}, "one text"),
        ({"kind": "reason", "text": {"de": 7}}, "one text"),
        ({"kind": "reason", "text": {"de": "x" * 10_001}}, "one text"),
        ({"kind": "reason", "text": {"de": "x"}, "url": "https://a.example"}, "no “url”"),
        ({"kind": "cta", "text": {"de": "x"}}, "address"),
        ({"kind": "cta", "text": {"de": "x"}, "url": "javascript:alert(1)"}, "url"),
        ({"kind": "cta", "text": {"de": "x"}, "url": 'https://a.example/"onclick=1'}, "url"),
        ({"kind": "cta", "text": {"de": "x"}, "url": "https://a.example/{{ name }}"}, "url"),
        ({"kind": "choice", "text": {"de": "x"}}, "options"),
        ({"kind": "choice", "text": {"de": "x"}, "options": [{"text": {"de": "a"}}]}, "options"),
        (
            {"kind": "choice", "text": {"de": "x"}, "options": [{"text": {"de": "a"}, "attractiveness": 9}] * 2},
            "options",
        ),
        ({"kind": "benefit", "text": {"de": "x"}, "kano": "Q"}, "kano"),
        ({"kind": "request", "text": {"de": "x"}, "about": "money"}, "about"),
    ],
)
def test_what_is_no_block_is_never_kept(block, word):
    campaign = CampaignFactory()
    version = campaign.template_version
    version.blocks = [GREETING, block, CLOSING]
    with pytest.raises(ValidationError, match=word):
        version.save()


def test_a_subject_has_no_second_line_however_it_comes():
    with pytest.raises(ValidationError, match="one line"):
        blocks.check({"de": "Neu\r\nBcc: x@example.com"}, [GREETING, CLOSING])


def test_every_kind_survives_its_form(marketer):
    rows = [
        {"kind": "greeting", "text_de": "{{ opening }},", "text_en": "{{ opening }},"},
        {"kind": "bad_news", "text_de": "Wir schließen.", "text_en": "We close."},
        {"kind": "reason", "text_de": "Weil der Boden alt ist.", "text_en": "For the floor is old."},
        {
            "kind": "choice", "text_de": "Sie wählen:", "text_en": "You choose:", "option0_de": "Versand",
            "option0_en": "Delivery", "attraction0": "2", "option2_de": "Abholen", "option2_en": "Pick up",
            "attraction2": "5",
        },
        {"kind": "benefit", "text_de": "Frei Haus", "text_en": "Free delivery", "kano": "A"},
        {"kind": "surprise", "text_de": "Ein Kaffee", "text_en": "A coffee", "kano": "A", "name": "Kaffee"},
        {"kind": "request", "text_de": "Sagen Sie es uns", "text_en": "Tell us", "about": "review"},
        {"kind": "cta", "text_de": "Hin", "text_en": "Go", "url": "https://shop.example/neu"},
        {"kind": "legal", "text_de": "Nur im Januar.", "text_en": "In January only."},
        {"kind": "closing", "text_de": "Gruß", "text_en": "Regards"},
    ]  # fmt: skip
    form = filled() | {"subject_en": "News", "also_en": "on"} | posted(rows)
    assert marketer.post("/campaigns/mailings/new", form).status_code == 302
    draft = Campaign.objects.get(standing=False)
    kept = draft.template_version.blocks
    assert [block["kind"] for block in kept] == [row["kind"] for row in rows]
    assert kept[3]["options"] == [
        {"text": {"de": "Versand", "en": "Delivery"}, "attractiveness": 2},
        {"text": {"de": "Abholen", "en": "Pick up"}, "attractiveness": 5},
    ]
    assert (kept[4]["kano"], kept[5]["name"], kept[6]["about"], kept[7]["promo"]) == ("A", "Kaffee", "review", False)
    assert rendering.languages(draft.template_version) == ["de", "en"]
    mail = marketer.get(f"/campaigns/mailings/{draft.pk}/preview?language=en&form=text").content.decode()
    assert "- Delivery\n- Pick up" in mail and "Regards\nKim Winter" in mail and "\nhttps://shop.example/neu" in mail
    again = marketer.get(f"/campaigns/mailings/{draft.pk}/").context["editor"]
    assert [form.initial["kind"] for form in again.blocks] == [row["kind"] for row in rows]
    assert again.blocks[3].initial["option1_en"] == "Pick up"


def test_a_language_that_is_not_ticked_is_not_kept(marketer):
    form = filled(subject_en="News", message_en="We rebuild.")
    del form["also_en"]
    marketer.post("/campaigns/mailings/new", form)
    assert rendering.languages(Campaign.objects.get(standing=False).template_version) == ["de"]


# Buttons that keep nothing


@pytest.mark.parametrize(
    ("verb", "kind", "order"),
    [
        ("up-2", "", ["greeting", "benefit", "appreciation", "closing"]),
        ("down-0", "", ["appreciation", "greeting", "benefit", "closing"]),
        ("remove-1", "", ["greeting", "benefit", "closing"]),
        ("add", "reason", ["greeting", "appreciation", "benefit", "reason", "closing"]),
        ("add", "legal", ["greeting", "appreciation", "benefit", "closing", "legal"]),
        ("add", "king", ["greeting", "appreciation", "benefit", "closing"]),
        ("up-0", "", ["greeting", "appreciation", "benefit", "closing"]),
        ("down-3", "", ["greeting", "appreciation", "benefit", "closing"]),
        ("up--1", "", ["greeting", "appreciation", "benefit", "closing"]),
        ("remove-999", "", ["greeting", "appreciation", "benefit", "closing"]),
    ],
)
def test_a_button_moves_adds_or_removes_a_block_and_keeps_nothing(marketer, verb, kind, order):
    form = filled(message_de="") | {"do": verb, "add_kind": kind}
    page = marketer.post("/campaigns/mailings/new", form)
    assert page.status_code == 200
    assert [block.shape.code for block in page.context["editor"].blocks] == order
    assert not Campaign.objects.filter(standing=False).exists()
    assert "errorlist" not in page.content.decode()
    assert 'value="Umbau"' in page.content.decode()


def test_another_kind_shows_its_own_fields(marketer):
    page = marketer.post("/campaigns/mailings/new", filled() | {"b2-kind": "cta", "do": "show"})
    assert "b2-url" in page.content.decode() and "Wir bauen um." in page.content.decode()


def test_whoever_edits_a_checked_mailing_must_check_it_again(marketer):
    marketer.post("/campaigns/mailings/new", filled())
    draft = Campaign.objects.get(standing=False)
    Campaign.objects.filter(pk=draft.pk).update(status="checked")
    marketer.post(f"/campaigns/mailings/{draft.pk}/", filled(message_de="Anders."))
    draft.refresh_from_db()
    assert (draft.status, draft.checked_at) == ("draft", None)


# Bad input


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"b2-text_de": " \n\t "}, "Write this"),
        ({"subject_de": ""}, "subject"),
        ({"also_en": "on"}, "untick English"),
        ({"subject_de": "Neu\r\nBcc: x@example.com"}, "one line"),
        ({"subject_de": "\u202eNeu"}, "invisible"),
        ({"subject_de": "x" * 151}, "150"),
        ({"b2-text_de": "x" * 1_000_000}, "10000 characters; these are 1000000"),
        ({"b2-text_de": "{{ opening"}, "not whole"),
        ({"b2-text_de": "{% if name %}x"}, "endif"),
        ({"b2-text_de": "{% assign a = 1 %}"}, "not whole"),
        ({"b2-text_de": "{{ favourite_beer }}"}, "favourite_beer"),
        ({"b2-text_de": "{% if title == 'x' %}{{ hidden_value }}{% endif %}"}, "hidden_value"),
        ({"b2-text_de": "{{ name | base64_encode }}"}, "only be followed"),
        ({"b2-text_de": "{% if name %}" + "{{ name }}" * 2001 + "{% endif %}"}, "characters"),
        ({"b2-text_de": "{%if a%}{%endif%}" * 580 + "{{title}}" * 10}, "value “a”"),
        ({"b0-kind": "reason"}, "greeting"),
        ({"b3-kind": "reason"}, "closing"),
        ({"b2-kind": "king"}, "king"),
        ({"blocks": "0"}, "greeting"),
        ({"blocks": "-1"}, "greeting"),
        ({"blocks": "99999"}, "greeting"),
        ({"blocks": "2"}, "closing"),
        ({"b2-kind": "cta", "b2-url": "javascript:alert(1)"}, "https://"),
        ({"b2-kind": "cta", "b2-url": "http://shop.example"}, "https://"),
        ({"b2-kind": "cta", "b2-url": "https://"}, "https://"),
        ({"b2-kind": "cta", "b2-url": "https://a@shop.example/"}, "https://"),
        ({"b2-kind": "cta", "b2-url": ""}, "address"),
        ({"b2-kind": "cta", "b2-url": "{{ name }}"}, "no address"),
        ({"b2-kind": "choice", "b2-option0_de": "nur eins"}, "two ways"),
    ],
)
def test_bad_input_is_said_beside_its_field(changed, word):
    assert word in faults(**changed)


def test_emoji_are_welcome_in_a_subject():
    assert edited(subject_de="Alles Gute 🎂").is_valid()


def test_three_hundred_blocks_are_refused_in_a_sentence(marketer):
    rows = [{"kind": "reason", "text_de": "x"}] * 300
    page = marketer.post("/campaigns/mailings/new", filled() | posted(rows))
    assert page.status_code == 422 and "at most 30 blocks" in text_of(page)


# Whoever is hard


def test_a_text_that_fails_for_somebody_names_whom():
    text = {"de": "{% for sign in (1..name.size) %}*{% endfor %}"}
    version = TemplateVersion(subject={"de": "Neu"}, blocks=[GREETING, {"kind": "reason", "text": text}, CLOSING])
    assert any("a very long name" in problem for problem in rendering.problems(version))


def test_a_subject_that_is_empty_for_somebody_is_found():
    version = TemplateVersion(
        subject={"de": "{{ title }}"}, blocks=[GREETING, {"kind": "reason", "text": {"de": "x"}}, CLOSING]
    )
    assert any("no subject" in problem for problem in rendering.problems(version))


def test_no_value_of_anybody_becomes_markup_or_a_placeholder():
    version = TemplateVersion(
        subject={"de": "Neu für {{ name }}"},
        blocks=[GREETING, {"kind": "reason", "text": {"de": "{{ name }}!"}}, CLOSING],
    )
    assert rendering.problems(version) == []
    from campaigns import personas

    made = [
        rendering.compiled(version, "de", "advertising").fill(COMMON_VALUES | rendering._LEGAL_VALUES | hard)
        for hard in personas.worst_cases("de").values()
    ]
    assert len(made) == 20
    assert not any("<script>" in mail.html or "<b>J" in mail.html for mail in made)
    assert not any("\n" in mail.subject or "\u202e" in mail.subject + mail.text for mail in made)
    assert any("{{ name }}" in mail.text for mail in made)  # one is called so, and stays so


def test_a_text_that_repeats_itself_too_often_is_refused():
    text = {"de": "{% for i in (1..99) %}{% for j in (1..99) %}x{% endfor %}{% endfor %}"}
    version = TemplateVersion(subject={"de": "Neu"}, blocks=[GREETING, {"kind": "reason", "text": text}, CLOSING])
    assert any("more than 100 times" in problem for problem in rendering.problems(version))


def test_a_text_of_too_many_parts_is_refused():
    parts = {"de": "{{title}}" * 1050}
    rows = [GREETING, {"kind": "reason", "text": parts}, {"kind": "reason", "text": parts}, CLOSING]
    assert any(
        "too many" in problem for problem in rendering.problems(TemplateVersion(subject={"de": "Neu"}, blocks=rows))
    )


def test_every_kind_has_a_form_and_an_explanation():
    assert blocks.KINDS.keys() == set(BlockKind.values)
    assert all(kind.help and kind.icon for kind in blocks.KINDS.values())


# Pages


@pytest.mark.parametrize("path", ["/campaigns/mailings/{pk}/", "/campaigns/recipes/birthday/"])
def test_a_long_text_costs_no_more_queries_than_a_short_one(marketer, path, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from campaigns import recipes

    draft = CampaignFactory(status="draft", launched_at=None, stages=["repeat"])
    birthday = recipes.standing_campaign(recipes.everything()["birthday"])
    counted = []
    for blocks_between in (2, 20):
        for campaign in (draft, birthday):
            version = campaign.template_version
            version.blocks = [GREETING, *[{"kind": "reason", "text": {"de": "x"}}] * blocks_between, CLOSING]
            version.save()
        url = path.format(pk=draft.pk)
        marketer.get(url)
        with CaptureQueriesContext(connection) as seen:
            assert marketer.get(url).status_code == 200
        counted.append(len(seen))
    assert counted[0] == counted[1]


def test_a_segment_alone_says_whom_a_mailing_reaches(marketer):
    segment = Segment.objects.create(name="Stammtisch", kind="list")
    for n in range(3):
        SegmentMember.objects.create(
            segment=segment, customer=person(f"g{n}@example.test", *(["newsletter"] * (n < 2)))
        )
    assert marketer.post("/campaigns/mailings/new", filled(stages=[], segment=segment.pk)).status_code == 302
    draft = Campaign.objects.get(standing=False)
    page = text_of(marketer.get(f"/campaigns/mailings/{draft.pk}/"))
    assert "<b>2 of 3</b> customers in the segment “Stammtisch” get this mail" in page
    live = text_of(marketer.get(f"/campaigns/mailings/audience?segment={segment.pk}"))
    assert "<b>2 of 3</b>" in live
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert "Choose stages" in text_of(marketer.get("/campaigns/mailings/audience", {"segment": nonsense}))
