"""Is the process alive, and can the product do its work?"""

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from crm import plugins
from crm.access import public

UNREACHABLE = "unreachable"


@public
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers."""
    return HttpResponse("ok", content_type="text/plain")


@public
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if the database answers, is migrated, and every upper app is ready; else 503. Each finding is named.

    While the database does not answer, that is the only finding: nothing else could be asked.
    """
    findings = {"database": database()}
    if findings["database"] != UNREACHABLE:
        findings |= dict(plugins.collect(lambda plugin: plugin.readiness()))
    ready = all(finding == "ok" for finding in findings.values())
    return JsonResponse({"ready": ready, **findings}, status=200 if ready else 503)


def database() -> str:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return UNREACHABLE
    return f"{len(pending)} migrations pending" if pending else "ok"
