"""`jackfield status`: what runs, and how it is."""

import time

import typer
from rich.text import Text

from jackfield_cli.exits import Exit
from jackfield_cli.local.installation import Installation, Process, Run
from jackfield_cli.local.places import state_directory
from jackfield_cli.local.services import SERVICES, not_ready
from jackfield_cli.local.supervisor import State
from jackfield_cli.output import Json, PlainTable, console, fail, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(as_json: Json = False) -> None:
    """Show each program: its state, its process, how often it was restarted.

    Exit status 0 when all is ready, 6 when something is not, 3 when nothing runs.

    [bold]Examples[/]

      jackfield status

      jackfield status --json | jq '.processes.gateway.restarts'
    """
    installation = Installation(state_directory())
    run = installation.current_run()
    if run is None:
        if as_json:
            print_json({"running": False})
            raise typer.Exit(Exit.NOT_RUNNING)
        killed = installation.run_file.exists() and _was_killed(installation.last_run())
        raise fail(
            "Nothing runs" + (": the last run was killed." if killed else "."),
            "Start it with `jackfield up`.",
            Exit.NOT_RUNNING,
        )
    run = _with_live_answers(run)
    if as_json:
        print_json({"running": True, **run.model_dump(mode="json")})
    else:
        console.print(_table(run))
    if any(process.state is not State.READY for process in run.processes.values()):
        raise typer.Exit(Exit.CHECK_FAILED)


def _was_killed(run: Run | None) -> bool:
    return run is not None and any(
        process.state not in (State.STOPPED, State.FAILED) for process in run.processes.values()
    )


def _with_live_answers(run: Run) -> Run:
    """Ask each service now: the supervisor only looks until a service is first ready."""
    processes = dict(run.processes)
    for service in SERVICES:
        process = processes.get(service.name)
        if process is None or process.state is not State.READY:
            continue
        missing = not_ready(run.ports[service.ops])
        if missing is not None:
            changed = {"state": State.STARTING, "detail": missing}
            processes[service.name] = process.model_copy(update=changed)
    return run.model_copy(update={"processes": processes})


def _table(run: Run) -> PlainTable:
    table = PlainTable("program", "state", "process", "for", "restarts", "")
    for name, process in run.processes.items():
        style = "green" if process.state is State.READY else "red"
        table.add(
            name,
            Text(process.state, style),
            str(process.pid or ""),
            _duration(process),
            str(process.restarts),
            Text(process.detail, "dim"),
        )
    return table


def _duration(process: Process) -> str:
    seconds = int(time.time() - process.since)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
