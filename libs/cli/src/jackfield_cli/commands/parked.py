"""`jackfield parked`: work that waits, and integrations whose work is to wait."""

import typer
from rich.text import Text

from jackfield_cli.api import connected
from jackfield_cli.commands.install import Id
from jackfield_cli.output import Json, PlainTable, console, print_json
from jackfield_cli.work import (
    Choice,
    Ids,
    Integration,
    Kind,
    Limit,
    Service,
    Since,
    Until,
    Work,
    change,
    clock,
    listed,
    raw_of,
    told,
    workers,
)

group = typer.Typer(
    help="Work that waits: list it, try it now, give it up; pause an integration.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="parked")


@group.command("list")
def list_parked(
    integration: Integration = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    service: Service = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List parked work, oldest first: what failed and is tried again, and what waits behind it.

    [bold]Examples[/]

      jackfield parked list

      jackfield parked list --integration INTEGRATION_ID --since 2h --json
    """
    found = listed(service, "parked", Choice(integration, kind, since, until), limit)
    if as_json:
        print_json(raw_of(found))
        return
    table = PlainTable("work", "service", "integration", "attempts", "next", "why")
    for worker, work in found:
        row = (work.id, worker.value, work.integration_id, str(work.attempts), _next(work))
        table.add(*row, Text(work.message or work.cause))
    console.print(table)


@group.command("retry")
def retry(
    ids: Ids = None,
    integration: Integration = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Try parked work now rather than when it is due. Counts lanes: what stands behind follows.

    [bold]Examples[/]

      jackfield parked retry WORK_ID

      jackfield parked retry --integration INTEGRATION_ID
    """
    choice = Choice(integration, kind, since, until, ids or ())
    told(change(service, "parked/retry", choice), "Lanes tried now", as_json)


@group.command("cancel")
def cancel(
    ids: Ids = None,
    integration: Integration = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Give parked work up for good; what follows it in its lane goes on.

    [bold]Examples[/]

      jackfield parked cancel WORK_ID

      jackfield parked cancel --integration INTEGRATION_ID --until 7d
    """
    choice = Choice(integration, kind, since, until, ids or ())
    told(change(service, "parked/cancel", choice), "Given up", as_json)


@group.command("pause")
def pause(integration_id: Id, service: Service = None) -> None:
    """Let the work of an integration wait, parked and in order, until it is resumed.

    [bold]Examples[/]

      jackfield parked pause INTEGRATION_ID

      jackfield parked pause INTEGRATION_ID --service connectors
    """
    _order("pause", integration_id, service)
    console.print(f"Paused. Next: jackfield parked resume {integration_id}")


@group.command("resume")
def resume(integration_id: Id, service: Service = None) -> None:
    """Let the work of an integration go on, in order.

    [bold]Examples[/]

      jackfield parked resume INTEGRATION_ID
    """
    _order("resume", integration_id, service)
    console.print("Resumed.")


def _order(verb: str, integration_id: str, service: Service) -> None:
    with connected() as api:
        for worker in workers(service):
            api.tell(f"/api/work/{worker}/{verb}", {"integration_id": integration_id})


def _next(work: Work) -> str:
    if work.due_at is not None:
        return clock(work.due_at)
    return {"paused": "when resumed", "behind": "in its turn"}.get(work.cause, "now")
