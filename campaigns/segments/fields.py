"""Everything that a segment may ask: one entry each. Adding one is one entry here.

The statement knows these tables: customer (crm_customer), and where a field names them assessment, metrics, lifetime.
Whatever a rule brings is bound (reliability: a segment must never be SQL that somebody wrote).
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns import mail_use
from campaigns.segments import options
from campaigns.segments.kinds import (
    Among,
    Birthday,
    Choice,
    Day,
    Happening,
    InList,
    Kind,
    Number,
    Text,
    Watched,
    YesNo,
)  # fmt: skip
from campaigns.segments.options import Options
from campaigns.segments.special import CONNECTED, SAID_MOTIVES, Consent, Motives, Rfm, Signals, StatusOn
from loyalty.barriers import BARRIERS, EMOTIONAL

FACTS, PURCHASES, CONTACTS = _("Person"), _("Purchases"), _("Contacts")
SCORES, BOND, FEELING = _("Stage and status"), _("What holds them"), _("Feelings and motives")
CONSENTS, MAILS, COUPONS, GROUPS = _("Consents"), _("Mails"), _("Coupons"), _("Segments and lists")


@dataclass(frozen=True)
class Field:
    """label: what stands before the operator: “town”. met, unmet: the sentence of a kind without one: “bought %(of)s
    %(when)s”, “did not buy …”; met_any, unmet_any: the same where it asks of all of them. options: what a value may be; of, of_sql: what it asks of, and what narrows to that; of_text:
    that is typed and not chosen. unit: of a number (money, percent). unknown: words where “… is unknown” would be odd.
    """

    code: str
    section: str | Promise
    label: str | Promise
    kind: Kind
    options: Options | None = None
    of: Options | None = None
    of_sql: str = ""
    of_text: bool = False
    of_label: str | Promise = ""
    met: str | Promise = ""
    unmet: str | Promise = ""
    met_any: str | Promise = ""
    unmet_any: str | Promise = ""
    unit: str = ""
    unknown: str | Promise = ""
    help: str | Promise = ""


# The last part but the country that begins like a postcode: “Weg 1, 50667 Köln”.
POSTCODE = """SELECT substring(point.value from '(?:^|, )([0-9A-Z][0-9A-Z -]{2,9}) [^,]+(?:, [^,]*)?$')
  FROM crm_contactpoint point WHERE point.customer_id = customer.id AND point.kind = 'post' AND point.is_primary"""
VALID = "purchase.customer_id = customer.id AND purchase.status IN ('paid', 'completed') AND purchase.net > 0"
BOUGHT = f"FROM crm_purchase purchase WHERE {VALID} {{of}} AND {{when}}"
PRODUCT = f"""FROM crm_purchase purchase JOIN crm_purchaseline line ON line.purchase_id = purchase.id
  WHERE {VALID} AND line.quantity > line.returned_quantity AND {{when}} {{of}}"""
PRODUCTS = """AND line.product_id IN (SELECT product.id FROM crm_product product
  WHERE lower(product.external_id) = lower({value}) OR lower(product.name) = lower({value}))"""
RETURNED = "FROM crm_return gone WHERE gone.customer_id = customer.id AND gone.held = '' AND {when}"
COMPLAINED = "FROM crm_complaint complaint WHERE complaint.customer_id = customer.id AND {when}"
OPEN_COMPLAINT = "EXISTS (SELECT FROM crm_complaint c WHERE c.customer_id = customer.id AND c.state <> 'closed')"
CONTACT = "FROM crm_interaction contact WHERE contact.customer_id = customer.id {of} AND {when}"
ANSWERED = """FROM crm_answer answer WHERE answer.customer_id = customer.id AND answer.origin = 'customer_self'
  AND {when}"""
OPEN_TASK = "EXISTS (SELECT FROM crm_task task WHERE task.customer_id = customer.id AND task.state = 'open')"
EMAIL = """EXISTS (SELECT FROM crm_contactpoint point
  WHERE point.customer_id = customer.id AND point.kind = 'email' AND point.state <> 'gone')"""
OF_SOURCE = "FROM crm_customerkey key WHERE key.customer_id = customer.id AND key.source_id = ANY({values})"
REACHED = "FROM loyalty_transition moved WHERE moved.customer_id = customer.id {of} AND {when}"
GOT = "FROM campaigns_delivery mail WHERE mail.customer_id = customer.id AND mail.state IN ('sent', 'unknown') {of} AND {when}"
GOT_AT = "coalesce(mail.settled_at, mail.planned_at)"
CLICKED = f"""FROM ({mail_use.USED}) used JOIN campaigns_delivery mail ON mail.id = used.delivery_id
  WHERE mail.customer_id = customer.id AND used.kind = 'click' AND NOT used.machine {{of}} AND {{when}}"""
WATCHED = "FROM campaigns_delivery mail WHERE mail.customer_id = customer.id AND mail.tracking = 'person' {of}"
OPEN_COUPON = """EXISTS (SELECT FROM loyalty_coupon coupon WHERE coupon.customer_id = customer.id
  AND coupon.voided_at IS NULL AND coupon.expired_at IS NULL AND coupon.used < coupon.uses
  AND (coupon.valid_until IS NULL OR coupon.valid_until >= {today}))"""
REDEEMED = """FROM loyalty_redemption used JOIN loyalty_coupon coupon ON coupon.id = used.coupon_id
  WHERE used.customer_id = customer.id AND used.state IN ('redeemed', 'returned') {of} AND {when}"""
ON_LIST = """FROM campaigns_segmentmember member
  WHERE member.customer_id = customer.id AND member.segment_id = {values}"""


def barrier(code: str, label: str | Promise, place: int) -> Field:
    """Score of a switching barrier, 0 to 100, from its place in the assessment's array."""
    return Field(f"barrier_{code}", BOND, label, Number(f"assessment.scores[{place}]"), help=_("0 to 100."))


FIELDS: tuple[Field, ...] = (
    Field("kind", FACTS, _("kind of customer"), Choice("customer.kind"), options.kinds),
    Field("language", FACTS, _("language"), Choice("nullif(customer.language, '')"), options.languages),
    Field("country", FACTS, _("country"), Text("nullif(customer.country, '')")),
    Field("city", FACTS, _("town"), Text("nullif(customer.city, '')")),
    Field("postcode", FACTS, _("postcode"), Text(POSTCODE), help=_("Of the postal address.")),
    Field("birth_month", FACTS, _("month of birth"), Choice("customer.birth_month", whole=True), options.months),
    Field("birthday", FACTS, _("birthday"), Birthday("customer")),
    Field("assigned", FACTS, _("looked after by"), Choice("customer.assigned_to_id", whole=True), options.staff,
          unknown=_("nobody looks after them")),
    Field("attribute", FACTS, _("further field"), Text("nullif(customer.attributes ->> {of}, '')"), of_text=True,
          of_sql="{value}", of_label=_("name of the field"), help=_("As your shop system sends it.")),
    Field("email", FACTS, _("e-mail address"), YesNo(EMAIL), met=_("has an e-mail address"),
          unmet=_("has no e-mail address")),
    Field("source", FACTS, _("comes from"), Among(OF_SOURCE, whole=True), options.sources,
          met=_("comes from %(values)s"), unmet=_("does not come from %(values)s")),
    Field("created", FACTS, _("known since"), Day("customer.created_at", instants=True)),
    Field("since", FACTS, _("customer since"), Day("customer.since")),

    Field("buyer", PURCHASES, _("buyer or prospect"), YesNo("metrics.orders > 0"), met=_("has bought"),
          unmet=_("has not bought yet")),
    Field("first_purchase", PURCHASES, _("first purchase"), Day("metrics.first_order_on"),
          unknown=_("there is no first purchase")),
    Field("last_purchase", PURCHASES, _("last purchase"), Day("assessment.last_order_on"),
          unknown=_("there is no last purchase")),
    Field("purchases", PURCHASES, _("number of purchases"), Number("metrics.purchases")),
    Field("value", PURCHASES, _("value of all purchases"), Number("metrics.value"), unit="money"),
    Field("value_year", PURCHASES, _("value of purchases in 365 days"), Number("metrics.value_year"), unit="money"),
    Field("bought", PURCHASES, _("bought from a category"), Happening(BOUGHT, at="purchase.ordered_on", instants=False),
          of=options.any_category, of_sql="AND purchase.categories @> ARRAY[{value}]::bigint[]",
          met=_("bought from %(of)s %(when)s"), unmet=_("did not buy from %(of)s %(when)s"),
          met_any=_("bought something %(when)s"), unmet_any=_("bought nothing %(when)s")),
    Field("product", PURCHASES, _("bought a product"), Happening(PRODUCT, at="purchase.ordered_on", instants=False),
          options.products, of_sql=PRODUCTS, of_text=True, of_label=_("number or name of the product"),
          met=_("bought the product %(of)s %(when)s"), unmet=_("did not buy the product %(of)s %(when)s")),
    Field("place", PURCHASES, _("place of most purchases"), Text("nullif(metrics.place, '')")),
    Field("returned", PURCHASES, _("brought something back"), Happening(RETURNED, at="gone.returned_on", instants=False),
          met=_("brought something back %(when)s"), unmet=_("did not bring anything back %(when)s")),

    Field("open_complaint", CONTACTS, _("open complaint"), YesNo(OPEN_COMPLAINT), met=_("has an open complaint"),
          unmet=_("has no open complaint")),
    Field("complained", CONTACTS, _("complained"), Happening(COMPLAINED, at="complaint.opened_at"),
          met=_("complained %(when)s"), unmet=_("did not complain %(when)s")),
    Field("contact", CONTACTS, _("contact"), Happening(CONTACT, at="contact.occurred_at"), of=options.any_channel,
          of_sql="AND contact.channel = {value}", met=_("there was a contact by %(of)s %(when)s"),
          unmet=_("there was no contact by %(of)s %(when)s"), met_any=_("there was a contact %(when)s"),
          unmet_any=_("there was no contact %(when)s")),
    Field("open_task", CONTACTS, _("open task"), YesNo(OPEN_TASK), met=_("somebody has a task for them"),
          unmet=_("nobody has a task for them")),
    Field("answered", CONTACTS, _("answered questions"), Happening(ANSWERED, at="answer.answered_at"),
          met=_("answered questions %(when)s"), unmet=_("did not answer questions %(when)s")),

    Field("stage", SCORES, _("stage"), Choice("assessment.stage"), options.stages),
    Field("reached", SCORES, _("reached a stage"), Happening(REACHED, at="moved.happened_on", instants=False),
          of=options.stages, of_sql="AND moved.to_stage = {value}", met=_("came to the stage %(of)s %(when)s"),
          unmet=_("did not come to the stage %(of)s %(when)s")),
    Field("status", SCORES, _("status"), StatusOn(""), options.statuses, unknown=_("there is no status yet")),
    Field("loyalty_type", SCORES, _("loyalty type"), Choice("assessment.loyalty_type"), options.loyalty_types),
    Field("rfm_r", SCORES, _("recency class"), Rfm("r"), options.fifths),
    Field("rfm_f", SCORES, _("frequency class"), Rfm("f"), options.fifths),
    Field("rfm_m", SCORES, _("value class"), Rfm("m"), options.fifths),
    Field("lifetime_value", SCORES, _("expected value"), Number("lifetime.value"), unit="money"),
    Field("lifetime_orders", SCORES, _("expected purchases"), Number("lifetime.orders")),

    Field("bond_type", BOND, _("kind of bond"), Choice("nullif(assessment.bond_type, '')"), options.bond_types),
    Field("bond", BOND, _("bond"), Number("assessment.bond"), help=_("0 to 100.")),
    Field("lock_in", BOND, _("lock-in"), Number("assessment.lock_in"), help=_("0 to 100.")),
    Field("voluntary_share", BOND, _("voluntary share"), Number("assessment.voluntary_share"), unit="percent"),
    *(barrier(one.code, one.label, place) for place, one in enumerate(BARRIERS, start=1)),
    Field(f"barrier_{EMOTIONAL[0]}", BOND, EMOTIONAL[1], Number("assessment.attitude"), help=_("0 to 100.")),
    Field("signal", BOND, _("sign of a barrier"), Signals(""), options.signals,
          met=_("one of these signs counts for them: %(values)s"),
          unmet=_("none of these signs counts for them: %(values)s")),
    Field("contract", BOND, _("end of the contract"), Day("assessment.contract_until"),
          unknown=_("no contract is known")),

    Field("nev", FEELING, _("Net Emotional Value"), Number("metrics.nev / 5 - 10"), help=_("−10 to +10.")),
    Field("satisfaction", FEELING, _("satisfaction"), Number("metrics.satisfaction"), help=_("0 to 100.")),
    Field("attitude", FEELING, _("relative attitude"), Number("assessment.relative_attitude"), help=_("0 to 100.")),
    Field("connected", FEELING, _("emotionally connected"), Motives(CONNECTED), met=_("is emotionally connected"),
          unmet=_("is not emotionally connected")),
    Field("motive", FEELING, _("moved by"), SAID_MOTIVES, options.motives, met=_("is moved by %(values)s"),
          unmet=_("is not moved by %(values)s")),

    Field("consent", CONSENTS, _("consent to"), Consent(""), options.consent_states, of=options.permissions),

    Field("got", MAILS, _("got a campaign"), Happening(GOT, at=GOT_AT), of=options.any_campaign,
          of_sql="AND mail.campaign_id = {value}", met=_("got %(of)s %(when)s"), unmet=_("did not get %(of)s %(when)s"),
          met_any=_("got a mail %(when)s"), unmet_any=_("got no mail %(when)s")),
    Field("got_recipe", MAILS, _("got a kind of mail"), Happening(GOT, at=GOT_AT), of=options.all_recipes,
          of_sql="AND mail.recipe = {value}", met=_("got a mail of the kind %(of)s %(when)s"),
          unmet=_("got no mail of the kind %(of)s %(when)s")),
    Field("clicked", MAILS, _("clicked in a mail"), Watched(CLICKED, at="used.at", watched=WATCHED),
          of=options.any_campaign, of_sql="AND mail.campaign_id = {value}", met=_("clicked in %(of)s %(when)s"),
          unmet=_("did not click in %(of)s %(when)s"), met_any=_("clicked in a mail %(when)s"),
          unmet_any=_("clicked in no mail %(when)s"), help=_("Known only of people who agreed to “Opens and clicks”.")),

    Field("open_coupon", COUPONS, _("open coupon"), YesNo(OPEN_COUPON), met=_("has a coupon that can be used"),
          unmet=_("has no coupon that can be used")),
    Field("redeemed", COUPONS, _("redeemed a coupon"), Happening(REDEEMED, at="used.redeemed_at"), of=options.any_coupon,
          of_sql="AND coupon.batch_id = {value}", met=_("redeemed %(of)s %(when)s"),
          unmet=_("did not redeem %(of)s %(when)s"), met_any=_("redeemed a coupon %(when)s"),
          unmet_any=_("redeemed no coupon %(when)s")),

    Field("segment", GROUPS, _("segment"), InList(""), options.segments, met=_("is in the segment “%(value)s”"),
          unmet=_("is not in the segment “%(value)s”")),
    Field("list", GROUPS, _("list"), InList(ON_LIST), options.lists, met=_("is on the list “%(value)s”"),
          unmet=_("is not on the list “%(value)s”")),
)  # fmt: skip

BY_CODE = {field.code: field for field in FIELDS}
# Values of these are numbers of rows.
NUMBERED = ("bought", "got", "clicked", "redeemed")
