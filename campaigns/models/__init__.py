from campaigns.blocks import BlockKind
from campaigns.models.campaign import Campaign, JobRun, Run
from campaigns.models.delivery import Delivery, Receipt, SenderHeartbeat
from campaigns.models.move import Move
from campaigns.models.pace import Circuit, MailCheck, Pace, Pulse, WarmUp
from campaigns.models.report import ReadMail
from campaigns.models.segment import Segment, SegmentMember
from campaigns.models.surprise import SurpriseGift, SurprisePeriod
from campaigns.models.template import Template, TemplateVersion
from campaigns.models.tracking import Link, LinkCount, MailUse, TrackingSwitch

__all__ = [
    "BlockKind",
    "Campaign",
    "Circuit",
    "Delivery",
    "JobRun",
    "Link",
    "LinkCount",
    "MailCheck",
    "MailUse",
    "Move",
    "Pace",
    "Pulse",
    "ReadMail",
    "Receipt",
    "Run",
    "Segment",
    "SegmentMember",
    "SenderHeartbeat",
    "SurpriseGift",
    "SurprisePeriod",
    "Template",
    "TemplateVersion",
    "TrackingSwitch",
    "WarmUp",
]
