from campaigns.models.campaign import Campaign, JobRun, Run
from campaigns.models.delivery import Delivery, Receipt, SenderHeartbeat
from campaigns.models.template import BlockKind, Template, TemplateVersion

__all__ = [
    "BlockKind",
    "Campaign",
    "Delivery",
    "JobRun",
    "Receipt",
    "Run",
    "SenderHeartbeat",
    "Template",
    "TemplateVersion",
]
