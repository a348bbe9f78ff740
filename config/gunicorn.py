"""How gunicorn serves the web process. Threads, because a request mostly waits for the database."""

import os
from pathlib import Path
from typing import Any

bind = f"{os.environ.get('BIND_ADDRESS') or '127.0.0.1'}:{os.environ.get('PORT') or '8000'}"
workers = int(os.environ.get("WEB_PROCESSES") or 2)
threads = int(os.environ.get("WEB_THREADS") or 4)
worker_class = "gthread"
# The application is loaded, and its checks run, once, before the workers start.
preload_app = True
# No second way in: processes are managed by signals.
control_socket_disable = True
timeout = 30
graceful_timeout = 10
keepalive = 5
forwarded_allow_ips = os.environ.get("TRUSTED_PROXIES") or "127.0.0.1"
loglevel = "warning"
if Path("/dev/shm").is_dir():  # noqa: S108 (a folder of gunicorn's own choosing below it)
    worker_tmp_dir = "/dev/shm"  # noqa: S108


def pre_fork(server: Any, worker: Any) -> None:
    """Leave no connection of the parent's for two workers to share."""
    from django.db import connections

    connections.close_all()
