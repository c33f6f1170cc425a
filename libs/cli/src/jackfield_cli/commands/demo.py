"""`jackfield demo`: a signed push becomes a chat message, before your eyes."""

import asyncio
from typing import Annotated

import httpx
import typer
from rich.text import Text

from jackfield_cli.api import Api, connected
from jackfield_cli.demo.receiver import Receiver
from jackfield_cli.demo.story import Outcome, Story
from jackfield_cli.demo.witness import watching
from jackfield_cli.output import Json, PlainTable, console, errors, print_json

_VENDOR_SECONDS = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the integrations and the route for you.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Install GitHub and Slack, post a signed push, and watch the message arrive.

    Everything goes through the public API and the public webhook endpoint. Slack is played by a
    receiver that the demo starts on this machine. What was made is removed at the end.

    [bold]Examples[/]

      jackfield demo

      jackfield demo --json | jq .hops
    """
    with connected() as api:
        outcome = asyncio.run(_played(api, keep=keep))
    if as_json:
        print_json(
            {
                "message": outcome.message,
                "hops": [
                    {"where": hop.where, "milliseconds": round(hop.milliseconds, 1)}
                    for hop in outcome.hops
                ],
                "refused_with": outcome.refused_with,
                "integrations": dict(outcome.integrations) if keep else {},
            }
        )
        return
    _show(outcome)
    if keep:
        console.print("Kept: see `jackfield installed` and `jackfield routes list`.")
    console.print("Next: `jackfield marketplace list`, then `jackfield install …`.")


async def _played(api: Api, *, keep: bool) -> Outcome:
    def tell(step: str) -> None:
        errors.print(Text.assemble(("✓ ", "green"), step), soft_wrap=True)

    receiver = Receiver()
    with receiver.listening():
        async with (
            watching() as witness,
            httpx.AsyncClient(timeout=_VENDOR_SECONDS, trust_env=False) as vendor,
        ):
            story = Story(api, vendor, witness, receiver, tell)
            try:
                return await story.play()
            finally:
                if not keep:
                    await story.clean_up()


def _show(outcome: Outcome) -> None:
    console.print(Text.assemble("\nThe way of the push, in ms since it was sent:"))
    table = PlainTable()
    before = 0.0
    for hop in outcome.hops:
        step = f"+{hop.milliseconds - before:.1f}"
        table.add(f"{hop.milliseconds:8.1f}", f"{step:>8}", hop.where)
        before = hop.milliseconds
    console.print(table)
