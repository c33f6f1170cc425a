"""How the command prints: text for people on a terminal, JSON for programs on request."""

import json
import sys
from typing import Annotated

import typer
from pydantic import JsonValue
from rich.console import Console

from jackfield_cli.exits import Exit
from jackfield_cli.local.errors import LocalError

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]


def print_json(value: JsonValue) -> None:
    """One JSON document on standard output, whatever the terminal's width."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_problem(problem: str, remedy: str) -> None:
    """What is wrong and what to do, on standard error."""
    errors.print("[bold red]error:[/] ", end="")
    errors.print(problem, markup=False, soft_wrap=True)
    if remedy:
        errors.print(f"       {remedy}", markup=False, soft_wrap=True)


def fail(problem: str, remedy: str, code: Exit = Exit.FAILED) -> typer.Exit:
    """Print the problem; raise what this returns."""
    print_problem(problem, remedy)
    return typer.Exit(int(code))


def fail_local(error: LocalError) -> typer.Exit:
    """The same for an error of the local runtime."""
    return fail(error.problem, error.remedy)
