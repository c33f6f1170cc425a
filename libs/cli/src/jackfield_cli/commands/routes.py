"""`jackfield routes`: which events lead to which action."""

from typing import Annotated

import typer
from pydantic import JsonValue

from jackfield_cli.api import connected
from jackfield_cli.output import Json, PlainTable, console, print_json
from jackfield_cli.resources import Route
from jackfield_cli.values import object_from

_PATH = "/api/routes"

group = typer.Typer(help="Which events lead to which action.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ROUTE_ID", help="See `jackfield routes list`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="routes")


@group.command("list")
def list_routes(as_json: Json = False) -> None:
    """List the routes.

    [bold]Examples[/]

      jackfield routes list
    """
    with connected() as api:
        routes = api.list(_PATH, Route)
    if as_json:
        print_json([each.raw for each in routes])
        return
    table = PlainTable("route", "name", "from", "events", "to", "action", "")
    for each in routes:
        row = (each.subscription_id, each.name, each.source or "any", ", ".join(each.events))
        state = "" if each.enabled else "disabled"
        table.add(*row, each.target.integration_id, each.target.action, state)
    console.print(table)


@group.command("add")
def add_route(
    name: Annotated[str, typer.Argument(help="A name of your own.")],
    target: Annotated[str, typer.Option("--to", help="The integration whose action is asked for.")],
    action: Annotated[str, typer.Option(help="The action.")],
    source: Annotated[
        str | None, typer.Option("--from", help="The integration whose events are meant.")
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option("--event", "-e", help="An event type; * matches anything.")
    ] = None,
    condition: Annotated[str | None, typer.Option(help="CEL over `event`.")] = None,
    transform: Annotated[
        str | None, typer.Option(help="JSONata over the event; yields the action's input.")
    ] = None,
    given: Annotated[str, typer.Option("--input", "-i", help="Fixed input, JSON or @file.")] = "{}",
    as_json: Json = False,
) -> None:
    """Add a route. Its condition and its transformation are compiled before it is accepted.

    [bold]Examples[/]

      jackfield routes add pushes --from CODE_ID -e push --to CHAT_ID --action send_message
      --condition 'event.occurrence.ref == "refs/heads/main"' --transform '{"text": occurrence.title}'
    """
    towards: dict[str, JsonValue] = {
        "integration_id": target,
        "action": action,
        "input": object_from(given),
    }
    towards |= {"transform": transform} if transform else {}
    draft: dict[str, JsonValue] = {"name": name, "target": towards, "events": [*(events or ["*"])]}
    draft |= {"source": source} if source else {}
    draft |= {"condition": condition} if condition else {}
    with connected() as api:
        route = api.post(_PATH, Route, draft)
    if as_json:
        print_json(route.raw)
    else:
        console.print(f"Added: {route.subscription_id}")


@group.command("remove")
def remove_route(route_id: Id) -> None:
    """Remove a route.

    [bold]Examples[/]

      jackfield routes remove ROUTE_ID
    """
    with connected() as api:
        api.delete(f"{_PATH}/{route_id}")
    console.print("Removed.")
