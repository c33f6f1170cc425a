"""Shows a start as it goes on: what is ready, and what the rest waits for."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from jackfield_cli.local.installation import Process, Run
from jackfield_cli.local.supervisor import State

_STYLES = {
    State.WAITING: "dim",
    State.PREPARING: "yellow",
    State.STARTING: "yellow",
    State.READY: "green",
    State.RESTARTING: "red",
    State.STOPPING: "yellow",
    State.STOPPED: "dim",
    State.FAILED: "bold red",
}
_MOVING = frozenset({State.PREPARING, State.STARTING, State.RESTARTING, State.STOPPING})


class Progress:
    """A table that redraws itself on a terminal; a line for each change where there is none.

    After `finish` it prints lines only, for what happens to the programs later.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._run: Run | None = None
        self._seen: dict[str, tuple[State, int]] = {}

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._table, refresh_per_second=8
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the redrawing, whatever happened."""
        self.finish()

    def show(self, run: Run) -> None:
        """Hear of a change."""
        self._run = run
        if self._live is not None:
            # Drawn from a copy of the state by the thread that redraws.
            return
        for name, process in run.processes.items():
            seen = (process.state, process.restarts)
            if self._seen.get(name) != seen:
                self._seen[name] = seen
                if process.state is not State.WAITING:
                    self._console.print(_line(name, process), soft_wrap=True)

    def finish(self) -> None:
        """Leave the table as it is; print lines from now on."""
        if self._live is not None:
            self._live.refresh()
            self._live.stop()
            self._live = None
            if self._run is not None:
                self._seen = {
                    name: (process.state, process.restarts)
                    for name, process in self._run.processes.items()
                }

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, process in (self._run.processes if self._run else {}).items():
            style = _STYLES[process.state]
            mark = Spinner("dots", style=style) if process.state in _MOVING else Text(" ")
            table.add_row(mark, name, Text(process.state, style), Text(_detail(process), "dim"))
        return table


def _line(name: str, process: Process) -> Text:
    clock = time.strftime("%H:%M:%S")
    return Text.assemble(
        (f"{clock}  ", "dim"),
        f"{name:<14} ",
        (f"{process.state:<11} ", _STYLES[process.state]),
        (_detail(process), "dim"),
    )


def _detail(process: Process) -> str:
    if process.state is State.READY and process.ready_after_seconds is not None:
        return process.detail or f"after {process.ready_after_seconds:.1f} s"
    if process.state is State.STARTING and process.detail:
        return f"waits for {process.detail}"
    return process.detail
