"""`jackfield certify`: put an integration to the test."""

import time
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import JsonValue
from rich.text import Text

from jackfield_cli.api import Api, connected
from jackfield_cli.commands.install import Id
from jackfield_cli.exits import Exit
from jackfield_cli.output import Json, PlainTable, console, errors, fail, print_json
from jackfield_cli.resources import CertificationRun, Report

_POLL_SECONDS = 0.5
_COLOURS = {"passed": "green", "failed": "red"}


class Level(StrEnum):
    """What a score is worth."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(certify)


def certify(
    integration_id: Id,
    suite: Annotated[
        list[str] | None, typer.Option(help="Only these suites, as often as needed.")
    ] = None,
    least: Annotated[
        Level, typer.Option("--least", help="Exit with 6 below this level.")
    ] = Level.NONE,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to wait for the report.")] = 600,
    as_json: Json = False,
) -> None:
    """Certify an installed integration and print the report.

    [bold]Examples[/]

      jackfield certify INTEGRATION_ID

      jackfield certify INTEGRATION_ID --suite basic_functionality --least gold
    """
    wanted: dict[str, JsonValue] = {"integration_id": integration_id, "suites": [*(suite or ())]}
    with connected() as api:
        run = api.post("/api/certification/runs", CertificationRun, wanted)
        with errors.status("Certifying…"):
            run = _completed(api, run, wait)
    if run.report is None:
        path = f"/api/certification/runs/{run.run_id}"
        raise fail(f"No report after {wait:.0f} s.", f"It will be at {path}.")
    if as_json:
        print_json(run.raw)
    else:
        _show(run.connector, run.report)
    reached = list(Level).index(Level(run.report.level))
    if not run.report.complete or reached < list(Level).index(least):
        raise typer.Exit(Exit.CHECK_FAILED)


def _completed(api: Api, run: CertificationRun, wait: float) -> CertificationRun:
    deadline = time.monotonic() + wait
    while run.status != "completed" and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        run = api.get(f"/api/certification/runs/{run.run_id}", CertificationRun)
    return run


def _show(connector: str, report: Report) -> None:
    rest = f": {report.level} ({report.score:.0f} %) {report.message}"
    console.print(Text.assemble((connector, "bold"), rest))
    table = PlainTable("suite", "check", "outcome", "against", "")
    for check in report.checks:
        outcome = Text(check.outcome, _COLOURS.get(check.outcome, "dim"))
        table.add(check.suite, check.name, outcome, check.against, Text(check.message))
    console.print(table)
