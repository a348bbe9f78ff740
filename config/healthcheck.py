"""Asks the web process of this container whether it answers; ends with an error if not. Needs no settings."""

import os
import urllib.request
from urllib.parse import urlsplit

address = f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}/healthz"
# The process answers to its public name only.
name = urlsplit(os.environ.get("PUBLIC_BASE_URL") or "http://localhost:8000").netloc
urllib.request.urlopen(urllib.request.Request(address, headers={"Host": name}), timeout=4)
