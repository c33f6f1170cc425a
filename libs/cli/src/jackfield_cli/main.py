"""The `jackfield` command."""

import sys

import typer

from jackfield_cli.commands import doctor, down, env, logs, status, up
from jackfield_cli.exits import Exit
from jackfield_cli.local.errors import LocalError
from jackfield_cli.output import print_problem

EPILOG = (
    "Exit status: 0 done · 1 failed · 2 wrong usage · 3 not running · 4 refused by the API · "
    "5 API not reachable · 6 a check is not in order."
)

app = typer.Typer(
    name="jackfield",
    help="Run Jackfield on this machine, install integrations, watch events.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for each in (up, down, status, logs, env, doctor):
    each.register(app)


def main() -> None:
    """Run the command; errors of the local runtime end it with a message, not a traceback."""
    try:
        app()
    except LocalError as error:
        print_problem(error.problem, error.remedy)
        sys.exit(Exit.FAILED)
