"""`jackfield doctor`: whether this machine can run Jackfield, and what to do where it cannot."""

import typer
from rich.text import Text

from jackfield_cli.exits import Exit
from jackfield_cli.local.checks import Verdict, check_all
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import state_directory
from jackfield_cli.output import Json, console, print_json

_MARKS = {Verdict.OK: ("✓", "green"), Verdict.NOTE: ("•", "yellow"), Verdict.BAD: ("✗", "red")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Check Python, packages, ports, disk, Java, Kafka, PostgreSQL, and what a kill left behind.

    One line a check, and what to do. Exit status 6 when something keeps Jackfield from running.

    [bold]Examples[/]

      jackfield doctor
    """
    findings = check_all(Installation(state_directory()))
    if as_json:
        print_json([finding.model_dump(mode="json") for finding in findings])
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.verdict]
            line = Text.assemble((f"{mark} ", colour), f"{finding.check:<12} ", finding.found)
            if finding.remedy:
                line.append(f" → {finding.remedy}", "bold")
            console.print(line, soft_wrap=True)
    if any(finding.verdict is Verdict.BAD for finding in findings):
        raise typer.Exit(Exit.CHECK_FAILED)
