"""What the command's exit status means. Documented in `jackfield --help`."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses, the same for every command."""

    OK = 0
    FAILED = 1
    """Something went wrong; the message says what to do."""
    USAGE = 2
    """The command line could not be understood."""
    NOT_RUNNING = 3
    """There is no run to talk to: `jackfield up` first."""
    REFUSED = 4
    """The API understood the request and refused it."""
    UNREACHABLE = 5
    """No answer from the API."""
    CHECK_FAILED = 6
    """The command worked, and what it checked is not in order."""
