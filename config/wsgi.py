"""The web process: the pages, the API and the webhooks. Refuses to start where a system check fails."""

import io
import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
call_command("check", stdout=io.StringIO())
