"""`jackfield history`: past deliveries, searched, looked into, explained and replayed."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import JsonValue
from rich.text import Text

from jackfield_cli.api import connected
from jackfield_cli.output import Json, PlainTable, console, print_json
from jackfield_cli.resources import Resource
from jackfield_cli.work import Integration, clock, moment

_PATH = "/api/deliveries"

group = typer.Typer(
    help="Past deliveries: find them, look into them, route them again.", no_args_is_help=True
)


class Status(StrEnum):
    """How a delivery ended."""

    PROCESSED = "processed"
    DUPLICATE = "duplicate"
    FAILED = "failed"


class Delivery(Resource):
    """A past delivery."""

    event_id: str
    integration_id: str | None = None
    source: str
    event_type: str | None = None
    delivery_id: str | None = None
    status: str
    reason: str | None = None
    accepted_at: datetime


class Content(Resource):
    """The same with its content."""

    delivery: Delivery
    method: str | None = None
    path: str | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    body_base64: str | None = None
    data: JsonValue = None


class Verdict(Resource):
    """What one route makes of a delivery."""

    subscription_id: str
    name: str
    verdict: str
    input: JsonValue = None
    message: str | None = None


class Explanation(Resource):
    """What every route makes of it."""

    routes: tuple[Verdict, ...]


class Replayed(Resource):
    """What is routed again."""

    event_ids: tuple[str, ...]
    unreadable: int = 0
    next_cursor: str | None = None


Id = Annotated[str, typer.Argument(metavar="EVENT_ID", help="See `jackfield history list`.")]
Type = Annotated[str | None, typer.Option("--type", "-e", help="Event type; * matches anything.")]
DeliveryId = Annotated[str | None, typer.Option(help="The vendor's own id.")]
Ended = Annotated[Status | None, typer.Option("--status", help="Only what ended so.")]
Since = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Accepted since: 2h (ago), or a time."),
]
Until = Annotated[
    datetime | None, typer.Option(parser=moment, metavar="TIME", help="Accepted before.")
]
Condition = Annotated[str | None, typer.Option(help="CEL over `event`, as in routes.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="history")


@group.command("list")
def list_deliveries(
    integration: Integration = None,
    event_type: Type = None,
    delivery_id: DeliveryId = None,
    status: Ended = None,
    since: Since = None,
    until: Until = None,
    condition: Condition = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most.")] = 50,
    as_json: Json = False,
) -> None:
    """List past deliveries, newest first.

    [bold]Examples[/]

      jackfield history list

      jackfield history list --status failed --since 1d --json

      jackfield history list --type push --condition 'event.data.ref == "refs/heads/main"'
    """
    query = _criteria(integration, delivery_id, status, since, until, condition)
    query |= {"event_type": event_type} if event_type else {}
    with connected() as api:
        found = api.list(_PATH, Delivery, query, limit)
    if as_json:
        print_json([each.raw for each in found])
        return
    table = PlainTable("event", "accepted", "from", "type", "status", "why")
    for each in found:
        row = (each.event_id, clock(each.accepted_at), each.integration_id or each.source)
        table.add(*row, each.event_type or "", each.status, Text(each.reason or ""))
    console.print(table)


@group.command("show")
def show(event_id: Id, as_json: Json = False) -> None:
    """Show one delivery with its headers and body, as it was accepted.

    [bold]Examples[/]

      jackfield history show EVENT_ID

      jackfield history show EVENT_ID --json | jq -r .body
    """
    with connected() as api:
        found = api.get(f"{_PATH}/{event_id}", Content)
    if as_json:
        print_json(found.raw)
        return
    one = found.delivery
    table = PlainTable()
    table.add("Event", f"{one.event_id} ({one.status})")
    table.add("From", one.integration_id or one.source)
    table.add("Type", one.event_type or "")
    table.add("Delivery id", one.delivery_id or "none")
    table.add("Accepted", clock(one.accepted_at))
    if one.reason:
        table.add("Why", Text(one.reason))
    console.print(table)
    if found.method is not None:
        console.print(Text(f"{found.method} {found.path or '/'}"), soft_wrap=True)
    for name, value in found.headers.items():
        console.print(Text(f"  {name}: {value}"), soft_wrap=True)
    console.print(Text(_body(found)), soft_wrap=True)


@group.command("explain")
def explain(event_id: Id, as_json: Json = False) -> None:
    """Say of every route whether it takes a delivery, and why not.

    [bold]Examples[/]

      jackfield history explain EVENT_ID
    """
    with connected() as api:
        found = api.get(f"{_PATH}/{event_id}/explain", Explanation)
    if as_json:
        print_json(found.raw)
        return
    if not found.routes:
        console.print("There are no routes: add one with `jackfield routes add`.")
        return
    table = PlainTable("route", "name", "verdict", "")
    for each in found.routes:
        more = each.message or ("" if each.input is None else json.dumps(each.input))
        table.add(each.subscription_id, each.name, each.verdict, Text(more))
    console.print(table)


@group.command("replay")
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="EVENT_ID", help="As `list` shows them.")
    ] = None,
    integration: Integration = None,
    event_type: Type = None,
    delivery_id: DeliveryId = None,
    status: Ended = None,
    since: Since = None,
    until: Until = None,
    condition: Condition = None,
    route: Annotated[
        list[str] | None, typer.Option(help="Only by this route; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="At most.")] = 100,
    idempotency_key: Annotated[
        str | None, typer.Option(help="The same key replays a delivery once.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Route past deliveries again: one, a range, or by condition. The actions are new ones.

    [bold]Examples[/]

      jackfield history replay EVENT_ID

      jackfield history replay --integration INTEGRATION_ID --since 2h --until 1h

      jackfield history replay --status failed --since 1d --route ROUTE_ID
    """
    body: dict[str, JsonValue] = {
        **_criteria(integration, delivery_id, status, since, until, condition)
    }
    body |= {"event_ids": [*ids]} if ids else {}
    body |= {"event_types": [event_type]} if event_type else {}
    if not body:
        raise typer.BadParameter(
            "say which: event ids, --integration, --type, --delivery-id, --status, --since,"
            " --until or --condition"
        )
    body |= {"routes": [*route]} if route else {}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    with connected() as api:
        done = api.post(f"{_PATH}/replay", Replayed, {**body, "limit": limit}, headers=headers)
    if as_json:
        print_json(done.raw)
        return
    console.print(f"Replayed: {len(done.event_ids)}.")
    if done.unreadable:
        console.print(f"Too old to be read, and left out: {done.unreadable}.")
    if done.next_cursor is not None:
        console.print("There are older ones: narrow the time, or raise --limit.")


def _criteria(
    integration: str | None,
    delivery_id: str | None,
    status: Status | None,
    since: datetime | None,
    until: datetime | None,
    condition: str | None,
) -> dict[str, str]:
    given = {
        "integration_id": integration,
        "delivery_id": delivery_id,
        "status": status.value if status else None,
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        "condition": condition,
    }
    return {name: value for name, value in given.items() if value is not None}


def _body(found: Content) -> str:
    if found.body_base64 is not None:
        return f"base64: {found.body_base64}"
    if found.body is None:
        return json.dumps(found.data, indent=2, ensure_ascii=False)
    try:
        return json.dumps(json.loads(found.body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return found.body
