"""`jackfield dead`: work that was given up."""

import base64
import json
from typing import Annotated

import typer
from rich.text import Text

from jackfield_cli.api import connected
from jackfield_cli.exits import Exit
from jackfield_cli.output import Json, PlainTable, console, fail, print_json
from jackfield_cli.work import (
    Choice,
    Content,
    Ids,
    Integration,
    Kind,
    Limit,
    Service,
    Since,
    Until,
    change,
    clock,
    listed,
    raw_of,
    told,
    workers,
)

group = typer.Typer(
    help="Work that was given up: look into it, run it again.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="dead")


@group.command("list")
def list_dead(
    integration: Integration = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    service: Service = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List dead work, oldest first.

    [bold]Examples[/]

      jackfield dead list

      jackfield dead list --kind outcome_unknown --since 1d --json
    """
    found = listed(service, "dead", Choice(integration, kind, since, until), limit)
    if as_json:
        print_json(raw_of(found))
        return
    table = PlainTable("work", "service", "integration", "given up", "attempts", "kind", "why")
    for worker, work in found:
        row = (work.id, worker.value, work.integration_id, clock(work.changed_at))
        table.add(*row, str(work.attempts), work.kind or "", Text(work.message or ""))
    console.print(table)


@group.command("show")
def show(
    work_id: Annotated[str, typer.Argument(help="See `jackfield dead list`.")],
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Show one piece of dead or parked work: every attempt, its original headers and body.

    With --json, headers and body are base64: the very bytes.

    [bold]Examples[/]

      jackfield dead show WORK_ID

      jackfield dead show WORK_ID --json | jq -r .value | base64 -d
    """
    with connected() as api:
        for worker in workers(service):
            work = api.find(f"/api/work/{worker}/items/{work_id}", Content)
            if work is not None:
                break
        else:
            raise fail(
                f"There is no parked or dead work {work_id}.",
                "See `jackfield dead list` and `jackfield parked list`.",
                Exit.REFUSED,
            )
    if as_json:
        assert isinstance(work.raw, dict)
        print_json({"service": worker.value, **work.raw})
    else:
        _print(worker.value, work)


@group.command("replay")
def replay(
    ids: Ids = None,
    integration: Integration = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    service: Service = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key runs a piece of work again once.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run dead work again, with its attempts counted anew.

    What failed with outcome_unknown may have been carried out: look at the vendor first.

    [bold]Examples[/]

      jackfield dead replay WORK_ID

      jackfield dead replay --integration INTEGRATION_ID --kind unavailable --since 1d
    """
    choice = Choice(integration, kind, since, until, ids or ())
    told(change(service, "dead/replay", choice, idempotency_key), "Run again", as_json)


def _print(service: str, work: Content) -> None:
    table = PlainTable()
    table.add("Work", f"{work.id} ({work.state}, {service})")
    table.add("Integration", work.integration_id)
    table.add("Lane", work.lane)
    table.add("Topic", work.topic)
    console.print(table)
    console.print("Attempts:")
    attempts = PlainTable()
    for tried in work.tried:
        attempts.add(f"  {clock(tried.at)}", tried.kind, Text(tried.message))
    console.print(attempts)
    console.print("Headers:")
    for name, content in work.headers:
        console.print(Text(f"  {name}: {_text(content)}"), soft_wrap=True)
    console.print("Body:")
    console.print(Text(_body(work.value)), soft_wrap=True)


def _text(content: str) -> str:
    return base64.b64decode(content).decode("utf-8", "backslashreplace")


def _body(value: str | None) -> str:
    if value is None:
        return "(none)"
    text = _text(value)
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
