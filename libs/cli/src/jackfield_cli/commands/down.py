"""`jackfield down`: stop what runs."""

import typer

from jackfield_cli.exits import Exit
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import state_directory
from jackfield_cli.output import console, fail

_PATIENCE_SECONDS = 60.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(down)


def down() -> None:
    """Stop everything that `jackfield up` started. Data stays.

    Work in flight is finished first; what does not end in its time is killed.

    [bold]Examples[/]

      jackfield down
    """
    installation = Installation(state_directory())
    with console.status("Stopping…"):
        stopped = installation.stop(_PATIENCE_SECONDS)
    if not stopped:
        raise fail(
            f"Nothing runs from {installation.directory}.",
            "Start it with `jackfield up`.",
            Exit.NOT_RUNNING,
        )
    console.print("Stopped. The next run has the same data.")
