"""The one error of the local runtime."""


class LocalError(Exception):
    """Something on this machine keeps the local runtime from working.

    Shown to the user as it is, without a traceback.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        """`problem` says in one line what is wrong, `remedy` what to do about it."""
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
