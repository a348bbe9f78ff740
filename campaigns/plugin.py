"""What campaigns adds to crm's pages, and what it stops when a permission ends."""

from crm.plugins import Plugin


class CampaignsPlugin(Plugin):
    pass
