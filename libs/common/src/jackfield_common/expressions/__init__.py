"""Expressions in routes: CEL for conditions, JSONata for transformations.

Compiling is safe anywhere and is how a bad expression is refused when it is saved. Evaluating somebody
else's expression is done in a `sandbox.Sandbox` only: a process of its own that the kernel stops when
it takes too long or too much memory.
"""

from jackfield_common.expressions.condition import Condition
from jackfield_common.expressions.errors import EvaluationError, ExpressionError
from jackfield_common.expressions.transformation import Transformation

__all__ = ["Condition", "EvaluationError", "ExpressionError", "Transformation"]
