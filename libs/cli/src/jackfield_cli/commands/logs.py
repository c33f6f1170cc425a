"""`jackfield logs`: what the programs say."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from jackfield_cli.exits import Exit
from jackfield_cli.local.installation import Installation
from jackfield_cli.local.places import state_directory
from jackfield_cli.output import console, fail

_POLL_SECONDS = 0.2
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")

Service = Annotated[
    list[str] | None, typer.Argument(help="kafka, postgres or a service; all of them if absent.")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as new lines come.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, help="How many old lines first.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(service: Service = None, follow: Follow = False, lines: Lines = 50) -> None:
    """Print the newest lines of the logs in .jackfield/logs/.

    A service's lines are JSON objects; with one service named they are printed as they are.

    [bold]Examples[/]

      jackfield logs gateway -f

      jackfield logs connectors -n 500 | jq 'select(.level == "error")'
    """
    directory = Installation(state_directory()).logs
    files = {path.stem: path for path in sorted(directory.glob("*.log"))}
    unknown = [name for name in service or () if name not in files]
    if unknown or not files:
        there = ", ".join(files) or "none yet"
        raise fail(
            f"No log of {', '.join(unknown) or 'anything'} in {directory}.",
            f"There is: {there}.",
            Exit.FAILED,
        )
    chosen = {name: files[name] for name in (service or files)}
    with ExitStack() as stack:
        tails = {name: stack.enter_context(closing(Tail(path))) for name, path in chosen.items()}
        for name, tail in tails.items():
            _print(name, deque(tail.read(), maxlen=lines), alone=len(tails) == 1)
        try:
            while follow:
                time.sleep(_POLL_SECONDS)
                for name, tail in tails.items():
                    _print(name, tail.read(), alone=len(tails) == 1)
        except KeyboardInterrupt:
            return


class Tail:
    """Complete lines added to a file, also after it was rotated.

    What two rotations between two reads took away is not seen.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb")
        self._rest = b""

    def read(self) -> Iterator[str]:
        """What was added since the last call."""
        yield from self._added()
        if self._rotated():
            yield from self._added()
            self._file.close()
            self._file = self._path.open("rb")
            yield from self._added()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _added(self) -> Iterator[str]:
        *complete, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in complete:
            yield line.decode(errors="replace")

    def _rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != _inode(self._file.fileno())
        except FileNotFoundError:
            return False


def _inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


def _print(name: str, lines: Iterable[str], *, alone: bool) -> None:
    colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
    for line in lines:
        if alone:
            console.print(line, soft_wrap=True)
        else:
            text = Text.assemble((f"{name:<14} ", colour), line)
            console.print(text, soft_wrap=True)
