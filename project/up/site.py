"""The commands that make up the site, and how long each may take to start and to stop."""

import sys

from project.up.interruption import Interruption
from project.up.plan import HOST, Plan
from project.up.processes import Processes

START_S = 60.0
# gunicorn lets calls in flight end within its graceful timeout of 35 s.
STOP_WEB_S = 40.0
STOP_WORKER_S = 15.0
STOP_SANDBOX_S = 5.0


def start_sandbox(plan: Plan, processes: Processes, interruption: Interruption) -> None:
    """Start the FaceID sandbox and wait until it answers."""
    command = [sys.executable, "manage.py", "faceid_sandbox"]
    command += ["--host", HOST, "--port", str(plan.sandbox_port)]
    with interruption.held():
        processes.start("sandbox", command, environ=plan.environ, stop_s=STOP_SANDBOX_S)
    processes.wait_for(f"{plan.sandbox_url}/healthz", within_s=START_S)


def start_service(plan: Plan, processes: Processes, interruption: Interruption) -> None:
    """Start web and worker, and wait until the service says that it is ready."""
    web = [sys.executable, "-m", "gunicorn", "project.wsgi", "-c", "project/gunicorn_conf.py"]
    web += ["--bind", f"{HOST}:{plan.web_port}"]
    worker = [sys.executable, "manage.py", "worker_run"]
    with interruption.held():
        processes.start("worker", worker, environ=plan.environ_of("worker"), stop_s=STOP_WORKER_S)
        processes.start("web", web, environ=plan.environ_of("web"), stop_s=STOP_WEB_S)
    processes.wait_for(f"{plan.web_url}/healthz", within_s=START_S)
    processes.wait_for(f"{plan.web_url}/readyz", within_s=START_S)
