"""What one evaluation may use. The kernel enforces all of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluationLimits:
    """Limits of one evaluation.

    `seconds` is processor time, so that a busy machine fails nobody; at `hard_seconds` a call into
    native code that does not return is ended with its process. `memory` bounds the sandbox's address
    space and `output` a transformation's result, in bytes.
    """

    seconds: float = 0.05
    hard_seconds: float = 0.25
    memory: int = 1024 * 1024 * 1024
    output: int = 1024 * 1024
