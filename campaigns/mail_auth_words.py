"""The findings about mail authentication in words, with what to do. One entry for each check and case."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.mail_auth import NO, UNKNOWN, YES, Finding


class Said(NamedTuple):
    """A finding for a page: tone and icon by its verdict."""

    name: str
    sentence: str
    verdict: str
    icon: str
    tone: str
    finding: Finding


NAMES: dict[str, str | Promise] = {
    "spf": _("SPF: which servers may send"),
    "dkim": _("DKIM: the key to the signature"),
    "dmarc": _("DMARC: what receivers shall do with forgeries"),
    "replies": _("Answers can arrive"),
    "https": _("Links are encrypted"),
    "signed": _("The mail is signed by your domain"),
    "one_click": _("The signature covers one-click unsubscribing"),
    "result": _("The receiver's verdict"),
}
VERDICTS: dict[str, tuple[str | Promise, str, str]] = {
    YES: (_("yes"), "circle-check", "good"),
    NO: (_("no"), "alert-triangle", "bad"),
    UNKNOWN: (_("unknown"), "question-mark", "due"),
}
SENTENCES: dict[tuple[str, str], str | Promise] = {
    ("spf", "none"): _(
        "%(domain)s does not say which servers may send for it. Publish the entry; if a provider sends for you, add "
        "the include: it names."
    ),
    ("spf", "several"): _("%(domain)s has several SPF entries, so receivers heed none. Put this one in their place."),
    ("spf", "everybody"): _("The entry of %(domain)s lets everybody send. Close it."),
    ("spf", "found"): _("%(domain)s says which servers may send for it."),
    ("spf", "covers"): _("The entry of %(domain)s names your mail server %(relay)s."),
    ("spf", "not_named"): _(
        "The entry of %(domain)s does not name %(relay)s. If mails leave from that very server, publish the entry; if it "
        "hands them on, ask its operator which entry they need."
    ),
    ("dkim", "no_selector"): _(
        "It cannot be looked up without the selector. Ask your mail provider for it and set DKIM_SELECTORS, or send the "
        "probe below."
    ),
    ("dkim", "none"): _(
        "No key is published for the selector %(selector)s. Publish the entry with the key that your mail server shows."
    ),
    ("dkim", "revoked"): _("The key of the selector %(selector)s was withdrawn. Publish the current one."),
    ("dkim", "found"): _("A key is published for each selector (%(selectors)s)."),
    ("dmarc", "none"): _("%(domain)s has no DMARC entry; large mailbox providers ask for one. Publish it."),
    ("dmarc", "found"): _("%(domain)s has a DMARC entry (p=%(policy)s)."),
    ("dmarc", "not_aligned"): _(
        "Mails come back to %(returns)s, which DMARC does not take for %(domain)s. That is fine as long as DKIM signs "
        "for %(domain)s."
    ),
    ("replies", "found"): _("%(domain)s has a mail server."),
    ("replies", "none"): _(
        "%(domain)s has no mail server, so answers are lost. Publish an MX entry with your mail server."
    ),
    ("https", "found"): _("Links lead to %(url)s."),
    ("https", "none"): _("Links lead to %(url)s, which is not encrypted. Set PUBLIC_BASE_URL to an https address."),
    ("signed", "found"): _("The probe arrived with a signature of %(signers)s."),
    ("signed", "none"): _("The probe arrived without a signature. Switch DKIM on at your mail server or provider."),
    ("signed", "foreign"): _(
        "The probe was signed by %(signers)s, not by %(domain)s. Have your provider sign with your own domain."
    ),
    ("one_click", "found"): _("List-Unsubscribe and List-Unsubscribe-Post are signed."),
    ("one_click", "not_covered"): _(
        "The signature leaves out List-Unsubscribe or List-Unsubscribe-Post, so mailbox providers do not show their "
        "button for unsubscribing. Add both to the signed headers (h=) of your mail server, then send a new probe."
    ),
    ("one_click", "not_signed"): _(
        "No signature of %(domain)s covers List-Unsubscribe and List-Unsubscribe-Post. Set DKIM up for %(domain)s, "
        "then send a new probe."
    ),
    ("result", "found"): _("%(name)s: passed."),
    ("result", "failed"): _("%(name)s: %(result)s. Look at the entry above."),
}
SILENT = _("DNS did not answer. Try again later.")


def said(finding: Finding) -> Said:
    label, icon, tone = VERDICTS[finding.verdict]
    # What an earlier version kept may be of a case that is gone.
    words = SENTENCES.get((finding.check, finding.case), SILENT)
    return Said(
        str(NAMES.get(finding.check, finding.check)), str(words) % finding.about, str(label), icon, tone, finding
    )
