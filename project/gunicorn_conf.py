"""How the web process is served; every figure can be set from the environment.

`gunicorn project.wsgi -c project/gunicorn_conf.py`
"""

import os
import resource
import threading
from pathlib import Path
from typing import Any

wsgi_app = "project.wsgi"
bind = os.environ.get("WEB_BIND", f"127.0.0.1:{os.environ.get('WEB_PORT', '8000')}")
worker_class = "project.gunicorn_worker.Worker"
workers = int(os.environ.get("WEB_WORKERS", "1"))

# A thread that waits for the vendor or for a body costs some ten kilobytes, so there are many:
# 200 half-sent bodies leave more than enough for everybody else. The database pool bounds work.
threads = int(os.environ.get("WEB_THREADS", "288"))
worker_connections = int(os.environ.get("WEB_CONNECTIONS", "2000"))
backlog = 1024

# Every connection is a descriptor, and the usual soft limit is below what we accept.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(_soft, 65_536), _hard), _hard))

# The worker's heartbeat comes from its event loop, not from its requests.
timeout = 60
# Longer than a call to the vendor with its settling: what is in flight at SIGTERM ends well.
graceful_timeout = int(os.environ.get("WEB_GRACEFUL_TIMEOUT_S", "35"))
keepalive = int(os.environ.get("WEB_KEEPALIVE_S", "5"))

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# The heartbeat file belongs in memory: on a slow disk its update would block the worker.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # nosec B108 - gunicorn makes a private file there
control_socket_disable = True

# Request lines hold business numbers; the proxy in front logs what its operator decides.
accesslog = os.environ.get("WEB_ACCESS_LOG") or None
access_log_format = '%(t)s "%(m)s %(U)s" %(s)s %(B)s %(D)s'
errorlog = "-"
loglevel = os.environ.get("WEB_LOG_LEVEL", "info")


def post_worker_init(worker: Any) -> None:
    """Say what will fail later, such as a key that the keyring lacks; serve meanwhile."""
    # A database that is away would hold the first requests up, and it is not theirs to wait for.
    threading.Thread(target=_say_and_close, args=[worker.log], daemon=True).start()


def say_what_fails(log: Any) -> None:
    """Log the errors of the checks that ask the database."""
    from django.core.checks import ERROR, Tags, run_checks  # noqa: PLC0415 - Django is ready only now

    for each in run_checks(tags=[Tags.database], databases=["default"]):
        if each.level >= ERROR:
            log.critical("%s", each)


def _say_and_close(log: Any) -> None:
    from django.db import connection  # noqa: PLC0415 - Django is ready only now

    try:
        say_what_fails(log)
    finally:
        connection.close()
