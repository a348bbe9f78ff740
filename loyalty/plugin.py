"""What loyalty adds to crm's pages."""

from crm.plugins import Plugin


class LoyaltyPlugin(Plugin):
    pass
