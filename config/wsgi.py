"""The web process: the pages, the API and the webhooks. Refuses to start where a system check fails."""

import gc
import io
import os

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
call_command("check", stdout=io.StringIO())

# What is loaded by now stays: the collector looks at it no more, and workers go on sharing it. A page makes thousands of
# objects that nearly all die by themselves; to look after every 700 takes a tenth of its time.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 10, 10)
