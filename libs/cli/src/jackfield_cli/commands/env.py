"""`jackfield env`: what other programs need to reach this installation."""

import shlex
from typing import cast

import typer
from pydantic import JsonValue

from jackfield_cli.local.access import access
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import state_directory
from jackfield_cli.output import Json, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(env)


def env(as_json: Json = False) -> None:
    """Print shell commands that export the addresses, the API key and the database login.

    Works whether Jackfield runs or not, once it ran the first time.

    [bold]Examples[/]

      eval "$(./jackfield env)"

      ./jackfield env --json | jq -r .JACKFIELD_URL
    """
    variables = access(Installation(state_directory())).variables()
    if as_json:
        print_json(cast(dict[str, JsonValue], variables))
        return
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
