"""`jackfield up`: start everything and keep it running."""

import asyncio
import os
import subprocess
import sys
import time
from typing import Annotated

import typer
from rich.text import Text

from jackfield_cli.display import Progress
from jackfield_cli.exits import Exit
from jackfield_cli.local import runtime
from jackfield_cli.local.errors import LocalError
from jackfield_cli.local.installation import Installation, Run
from jackfield_cli.local.places import CHECKOUT, state_directory
from jackfield_cli.local.ports import Ports
from jackfield_cli.local.process import last_lines
from jackfield_cli.local.services import SERVICES
from jackfield_cli.output import PlainTable, console, errors, fail

_POLL_SECONDS = 0.1
_DETACHED_LOG = "supervisor.log"

Offset = Annotated[
    int,
    typer.Option(
        "--port-offset",
        envvar="JACKFIELD_PORT_OFFSET",
        help="Add this to every port, so that two installations can run beside each other.",
    ),
]
ServersOnly = Annotated[
    bool, typer.Option("--servers-only", help="Start Kafka and PostgreSQL without the services.")
]
Detach = Annotated[
    bool, typer.Option("--detach", "-d", help="Return when all is ready; it goes on running.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(detach: Detach = False, port_offset: Offset = 0, servers_only: ServersOnly = False) -> None:
    """Start Kafka, PostgreSQL and the services, and keep them running until Ctrl-C.

    Data, logs and keys are in .jackfield/ (JACKFIELD_STATE_DIR) and survive to the next run.
    Servers that JACKFIELD_KAFKA_BOOTSTRAP_SERVERS and JACKFIELD_POSTGRES_DSN name are used
    instead of starting them.

    [bold]Examples[/]

      jackfield up                      in the foreground, Ctrl-C ends it

      jackfield up --detach             in the background, `jackfield down` ends it

      jackfield up --port-offset 100    beside another one: API on 8180, webhooks on 8190
    """
    installation = Installation(state_directory())
    if detach:
        run = _detached(installation, port_offset, servers_only)
        _print_summary(installation, run, detached=True)
        return
    plan = runtime.Plan(
        installation=installation,
        ports=Ports.chosen(port_offset),
        services=() if servers_only else SERVICES,
        environment=os.environ,
    )
    with Progress(console) as progress:
        summary_printed = False

        def changed(run: Run) -> None:
            nonlocal summary_printed
            progress.show(run)
            if run.ready_after_seconds is not None and not summary_printed:
                summary_printed = True
                progress.finish()
                _print_summary(installation, run, detached=False)

        asyncio.run(runtime.run(plan, changed))
    console.print("Stopped. The next run has the same data.")


def _detached(installation: Installation, port_offset: int, servers_only: bool) -> Run:
    if installation.is_held():
        raise LocalError(
            f"Jackfield already runs from {installation.directory}.",
            "See `jackfield status`; `jackfield down` stops it.",
        )
    Ports.chosen(port_offset)
    command = [sys.executable, "-m", "jackfield_cli", "up", "--port-offset", str(port_offset)]
    if servers_only:
        command.append("--servers-only")
    installation.logs.mkdir(parents=True, exist_ok=True)
    log = installation.logs / _DETACHED_LOG
    with log.open("wb") as output:
        supervisor = subprocess.Popen(  # noqa: S603  # the command line is built here
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with Progress(console) as progress:
            while True:
                ended = supervisor.poll() is not None
                run = installation.last_run()
                if run is not None and run.pid == supervisor.pid:
                    progress.show(run)
                    if run.ready_after_seconds is not None and not ended:
                        return run
                if ended:
                    break
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise typer.Exit(Exit.FAILED) from None
    errors.print(last_lines(log, 40), soft_wrap=True)
    raise fail("Jackfield did not start.", f"The lines above are from {log}.")


def _print_summary(installation: Installation, run: Run, *, detached: bool) -> None:
    took = f" after {run.ready_after_seconds:.1f} s"
    console.print(Text.assemble(("\nJackfield is ready", "bold green"), took))
    table = PlainTable()
    if not run.servers_only:
        table.add("  API", run.url("api"))
        table.add("  Webhooks", f"{run.url('webhook')}/webhooks/{{integration_id}}")
        table.add("  OAuth", run.url("oauth"))
        table.add("  API key", f"in {_shown(installation.api_key)}")
    table.add("  Kafka", run.kafka_bootstrap_servers)
    if not run.external_postgres:
        table.add("  PostgreSQL", f"127.0.0.1:{run.ports['postgres']}, database jackfield")
    console.print(table)
    if not run.servers_only:
        allowed = os.environ.get("JACKFIELD_EGRESS_ALLOW") or "127.0.0.0/8,::1/128"
        console.print(
            "Local profile: integrations may call private addresses in "
            f"{allowed} (JACKFIELD_EGRESS_ALLOW).",
            style="dim",
        )
        next_step = ('eval "$(./jackfield env)" && ./jackfield demo', "bold")
        console.print(Text.assemble("Next:  ", next_step))
    console.print(Text.assemble("Stop:  ", ("./jackfield down" if detached else "Ctrl-C", "bold")))


def _shown(path: os.PathLike[str]) -> str:
    name = os.fspath(path)
    prefix = f"{CHECKOUT}/"
    return name.removeprefix(prefix)
