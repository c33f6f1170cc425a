"""How the command prints: text for people on a terminal, JSON for programs on request."""

import json
import sys
from typing import Annotated, TextIO

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jackfield_cli.exits import Exit
from jackfield_cli.local.errors import LocalError

_PIPED_WIDTH = 10_000
"""Columns for output that goes to another program: nothing is wrapped or cut there."""


def _console(stream: TextIO, *, stderr: bool) -> Console:
    # No markup: names and messages come from outside and may hold brackets.
    width = None if stream.isatty() else _PIPED_WIDTH
    return Console(stderr=stderr, highlight=False, emoji=False, width=width)


console = _console(sys.stdout, stderr=False)
errors = _console(sys.stderr, stderr=True)


class PlainTable(Table):
    """Columns without lines. Cells are shown as they are: what looks like markup in them is text."""

    def __init__(self, *titles: str) -> None:
        super().__init__(box=None, padding=(0, 2), header_style="bold", show_header=bool(titles))
        for title in titles:
            self.add_column(title)

    def add(self, *cells: str | Text) -> None:
        """Add a row."""
        self.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]


def print_json(value: JsonValue) -> None:
    """One JSON document on standard output, whatever the terminal's width."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_problem(problem: str, remedy: str) -> None:
    """What is wrong and what to do, on standard error."""
    errors.print(Text.assemble(("error: ", "bold red"), problem), soft_wrap=True)
    if remedy:
        errors.print(f"       {remedy}", soft_wrap=True)


def fail(problem: str, remedy: str, code: Exit = Exit.FAILED) -> typer.Exit:
    """Print the problem; raise what this returns."""
    print_problem(problem, remedy)
    return typer.Exit(int(code))


def fail_local(error: LocalError) -> typer.Exit:
    """The same for an error of the local runtime."""
    return fail(error.problem, error.remedy)
