"""`jackfield events`: what happens, as it happens."""

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from jackfield_cli.api import connected
from jackfield_cli.bus import follow_events
from jackfield_cli.output import Json, console, print_json
from jackfield_cli.resources import Event
from jackfield_common.events.integration_event import IntegrationEvent

group = typer.Typer(help="Watch events, and ask what became of one.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="events")


@group.command("tail")
def tail(
    tenant: Annotated[str, typer.Option(help="Whose events.")] = "default",
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Everything that is kept, then what comes.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="Stop after so many.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with the whole payload.")
    ] = False,
) -> None:
    """Print normalised events as they appear on Kafka, until Ctrl-C.

    Kafka is the one that JACKFIELD_KAFKA_BOOTSTRAP_SERVERS names, or the local installation's.

    [bold]Examples[/]

      jackfield events tail

      jackfield events tail --json | jq .occurrence
    """

    async def print_all() -> None:
        printed = 0
        async for event in follow_events(tenant, from_beginning=from_beginning):
            if as_json:
                typer.echo(event.model_dump_json(exclude_none=True))
            else:
                console.print(_line(event), soft_wrap=True)
            printed += 1
            if printed == count:
                return

    try:
        asyncio.run(print_all())
    except KeyboardInterrupt:
        return


@group.command("show")
def show(
    event_id: Annotated[str, typer.Argument(help="As the answer to a webhook names it.")],
    as_json: Json = False,
) -> None:
    """Show what became of an accepted webhook, or of an event sent in.

    [bold]Examples[/]

      jackfield events show EVENT_ID
    """
    with connected() as api:
        event = api.get(f"/api/events/{event_id}", Event)
    if as_json:
        print_json(event.raw)
        return
    name = event.event_type or "event"
    console.print(Text.assemble(f"{name}: ", (event.status, "bold"), f" {event.reason or ''}"))
    console.print(f"  routes that took it   {', '.join(event.matched) or 'none'}")
    console.print(f"  actions asked for     {', '.join(event.actions) or 'none'}")


def _line(event: IntegrationEvent) -> Text:
    what = event.occurrence
    title = (what.title or what.description or "") if what else ""
    where = (what.repository or what.project or "") if what else ""
    return Text.assemble(
        (event.at.strftime("%H:%M:%S.%f")[:-3] + "  ", "dim"),
        (f"{event.source:<12} ", "cyan"),
        (f"{event.event_type:<24} ", "bold"),
        f"{where}  {title}".strip(),
        (f"  {event.id}", "dim"),
    )
