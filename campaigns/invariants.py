"""What must always hold of the mails, whatever was killed and when."""

from crm.invariants import Invariant, rows_of

CHECKS: tuple[Invariant, ...] = (
    rows_of(
        "a mail is held by a sender only while it is claimed, being sent or unclear",
        """SELECT id FROM campaigns_delivery
        WHERE token IS NOT NULL AND state NOT IN ('claimed', 'sending', 'unknown')""",
    ),
    rows_of(
        "advertising that was sent names the ground that allowed it",
        """SELECT id FROM campaigns_delivery WHERE state = 'sent' AND message_class <> 'transactional'
        AND (reason NOT IN ('consent', 'existing_customer') OR (reason = 'consent' AND evidence IS NULL))""",
    ),
    rows_of(
        "the consent that allowed a mail is the person's own and older than the mail",
        """SELECT delivery.id FROM campaigns_delivery delivery
        JOIN crm_consentevent event ON event.id = delivery.evidence
        WHERE delivery.state = 'sent' AND delivery.reason = 'consent'
        AND (event.action NOT IN ('given', 'confirmed') OR event.recorded_at > delivery.sending_at)""",
    ),
    rows_of(
        "no advertising passed the gate after its permission had ended",
        # An end's time is when its transaction began; a mail may have passed while that was open.
        """SELECT delivery.id FROM campaigns_delivery delivery JOIN crm_customer customer
          ON customer.id = delivery.customer_id
        JOIN LATERAL (
          SELECT action, recorded_at FROM crm_consentevent event
          WHERE event.person_key = customer.person_key AND event.purpose_id = delivery.purpose
            AND event.channel = 'email' AND event.recorded_at < delivery.sending_at - interval '5 seconds'
          ORDER BY occurred_at DESC, action IN ('withdrawn', 'objected') DESC LIMIT 1
        ) last ON last.action IN ('withdrawn', 'objected')
        WHERE delivery.state = 'sent' AND delivery.message_class <> 'transactional'""",
    ),
    rows_of(
        "every mail is of a customer who exists",
        """SELECT delivery.id FROM campaigns_delivery delivery
        WHERE NOT EXISTS (SELECT FROM crm_customer customer WHERE customer.id = delivery.customer_id)""",
    ),
    rows_of(
        "a mail that left the queue says when, and a refused one why",
        """SELECT id FROM campaigns_delivery
        WHERE (state IN ('sent', 'suppressed', 'failed', 'quarantined') AND settled_at IS NULL)
           OR (state IN ('suppressed', 'failed', 'quarantined') AND reason = '')""",
    ),
    rows_of(
        "what a person did with a mail is noted only of mails that carried her own links by her consent",
        """SELECT noted.id FROM campaigns_mailuse noted JOIN campaigns_delivery delivery ON delivery.id = noted.delivery_id
        WHERE delivery.tracking <> 'person' OR delivery.message_class = 'transactional' OR delivery.sending_at IS NULL""",
    ),
    rows_of(
        "no surprise was given beyond its budget, and none that went was given back",
        """SELECT period.id FROM campaigns_surpriseperiod period
        WHERE period.gifts > period.gifts_most OR period.money > period.money_most
           OR period.gifts < (SELECT count(*) FROM campaigns_surprisegift gift
                              WHERE gift.period_id = period.id AND gift.returned_at IS NULL)
        UNION ALL SELECT gift.id FROM campaigns_surprisegift gift
        JOIN campaigns_delivery delivery ON delivery.id = gift.delivery_id
        WHERE gift.returned_at IS NOT NULL AND delivery.state NOT IN ('suppressed', 'failed')""",
    ),
)
