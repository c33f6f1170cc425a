"""Start a program that cannot outlive its parent.

Run as a script, by path, with `python -I -S` (a few milliseconds, standard library only):

    leash.py --parent PID --signal N [--user UID:GID] -- program argument ...

On Linux it drops to the user, asks the kernel to send signal N when the parent's thread that
started it ends (prctl PR_SET_PDEATHSIG), and becomes the program: no process is added. The order
matters, because a change of credentials clears the request. Elsewhere it stays between the two:
it passes signals on and watches for the parent to disappear.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.25


def main(arguments: list[str]) -> int:
    """Parse the command line (see above) and become, or watch over, the program."""
    parent, death_signal, user, program = _parsed(arguments)
    if user is not None:
        uid, gid = user
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        _die_with_parent(death_signal)
        if os.getppid() != parent:
            return 1  # it died before the kernel was asked
        os.execvp(program[0], program)  # noqa: S606  # exactly what this script is for
    return _watch(parent, death_signal, program)


def _parsed(arguments: list[str]) -> tuple[int, int, tuple[int, int] | None, list[str]]:
    end = arguments.index("--")
    options = dict(zip(arguments[:end:2], arguments[1:end:2], strict=True))
    user: tuple[int, int] | None = None
    if "--user" in options:
        uid, gid = options["--user"].split(":")
        user = int(uid), int(gid)
    return int(options["--parent"]), int(options["--signal"]), user, arguments[end + 1 :]


def _die_with_parent(death_signal: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


def _watch(parent: int, death_signal: int, program: list[str]) -> int:
    child = subprocess.Popen(program)  # noqa: S603

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, forward)
    asked = False
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(POLL_SECONDS) & 0xFF
        if not asked and os.getppid() != parent:
            child.send_signal(death_signal)
            asked = True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
