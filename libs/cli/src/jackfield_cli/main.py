"""The `jackfield` command."""

from typing import Any

import typer
from typer.core import TyperGroup

from jackfield_cli.api import ApiRefusedError, ApiUnreachableError
from jackfield_cli.commands import (
    call,
    certify,
    dead,
    demo,
    doctor,
    down,
    env,
    events,
    history,
    install,
    logs,
    marketplace,
    parked,
    routes,
    status,
    up,
)
from jackfield_cli.exits import Exit
from jackfield_cli.local.errors import LocalError
from jackfield_cli.output import print_problem

EPILOG = (
    "Exit status: 0 done · 1 failed · 2 wrong usage · 3 not running · 4 refused by the API · "
    "5 API not reachable · 6 a check is not in order."
)


class Commands(TyperGroup):
    """All commands; errors that a user can act on end them with a message, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except LocalError as error:
            print_problem(error.problem, error.remedy)
            raise typer.Exit(Exit.FAILED) from error
        except ApiRefusedError as error:
            print_problem(str(error), "")
            raise typer.Exit(Exit.REFUSED) from error
        except ApiUnreachableError as error:
            print_problem(str(error), "Is it running? See `jackfield status`.")
            raise typer.Exit(Exit.UNREACHABLE) from error


app = typer.Typer(
    name="jackfield",
    cls=Commands,
    help="Run Jackfield on this machine, install integrations, watch events.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
LOCAL = (up, down, status, logs, env, doctor)
REMOTE = (demo, marketplace, install, call, routes, events, history, parked, dead, certify)
for each in (*LOCAL, *REMOTE):
    each.register(app)


def main() -> None:
    """Run the command."""
    app()
