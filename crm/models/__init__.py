from crm.models.call import Call
from crm.models.consent import (
    Channel,
    ConsentEvent,
    ConsentState,
    ConsentTrace,
    DoubleOptIn,
    Purpose,
    Suppression,
    Wording,
)
from crm.models.contact import Interaction, InteractionEmotion
from crm.models.customer import ContactPoint, Customer, CustomerKey
from crm.models.event import ChangedCustomer, Event, Hold, MailLog, Participation
from crm.models.privacy import (
    AuditEntry,
    CustomerChange,
    ErasedKey,
    ErasureLog,
    PrivacyRequest,
    SealedRecord,
)
from crm.models.public import LegalText, LinkToken, Throttle
from crm.models.purchase import (
    Category,
    Product,
    Purchase,
    PurchaseLine,
    Return,
    ReturnAllocation,
    ReturnLine,
)
from crm.models.service import Complaint
from crm.models.source import ApiKey, ImportRun, Quarantine, Source
from crm.models.staff import Shop, User
from crm.models.survey import SurveyInvitation
from crm.models.task import Task
from crm.models.voice import AdvocacyAct, Answer, BarrierFact, MotivatorEvidence

__all__ = [
    "AdvocacyAct",
    "Answer",
    "ApiKey",
    "AuditEntry",
    "BarrierFact",
    "Call",
    "Category",
    "ChangedCustomer",
    "Channel",
    "Complaint",
    "ConsentEvent",
    "ConsentState",
    "ConsentTrace",
    "ContactPoint",
    "Customer",
    "CustomerChange",
    "CustomerKey",
    "DoubleOptIn",
    "ErasedKey",
    "ErasureLog",
    "Event",
    "Hold",
    "ImportRun",
    "Interaction",
    "InteractionEmotion",
    "LegalText",
    "LinkToken",
    "MailLog",
    "MotivatorEvidence",
    "Participation",
    "PrivacyRequest",
    "Product",
    "Purchase",
    "PurchaseLine",
    "Purpose",
    "Quarantine",
    "Return",
    "ReturnAllocation",
    "ReturnLine",
    "SealedRecord",
    "Shop",
    "Source",
    "Suppression",
    "SurveyInvitation",
    "Task",
    "Throttle",
    "User",
    "Wording",
]
