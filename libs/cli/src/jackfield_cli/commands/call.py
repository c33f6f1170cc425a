"""`jackfield call`: carry out an action of a vendor."""

from typing import Annotated

import typer

from jackfield_cli.api import connected
from jackfield_cli.commands.install import Id, show_result
from jackfield_cli.output import Json
from jackfield_cli.resources import ActionResult
from jackfield_cli.values import object_from


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(call)
    app.command()(result)


def call(
    integration_id: Id,
    action: Annotated[str, typer.Argument(help="See `jackfield marketplace show`.")],
    given: Annotated[
        str, typer.Option("--input", "-i", help="A JSON object, or @file with one.")
    ] = "{}",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the result.")] = 30,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="The same key with the same input calls the vendor once in 24 hours."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Carry out an action and print its result. Exit status 6 when the vendor refuses it.

    [bold]Examples[/]

      jackfield call INTEGRATION_ID send_message --input '{"text": "Deployed."}'

      jackfield call INTEGRATION_ID create_issue -i @issue.json --idempotency-key deploy-42
    """
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    path = f"/api/marketplace/installed/{integration_id}/actions/{action}"
    with connected() as api:
        answer = api.post(
            path,
            ActionResult,
            {"input": object_from(given)},
            query={"wait": wait},
            headers=headers,
            wait_seconds=wait,
        )
    show_result(answer, as_json)


def result(
    action_id: Annotated[str, typer.Argument(help="As `jackfield call` printed it.")],
    as_json: Json = False,
) -> None:
    """Print the result of an action that was still under way.

    [bold]Examples[/]

      jackfield result ACTION_ID
    """
    with connected() as api:
        answer = api.get(f"/api/actions/{action_id}", ActionResult)
    show_result(answer, as_json)
