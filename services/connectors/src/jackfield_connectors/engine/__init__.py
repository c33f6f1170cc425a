"""What stands around every call to a vendor.

validate input → credential → limiter → breaker → HTTP → error map → validate output → result
"""

from jackfield_connectors.engine.engine import Engine, Prepared, Result
from jackfield_connectors.engine.failures import CutOff, Unfitting

__all__ = ["CutOff", "Engine", "Prepared", "Result", "Unfitting"]
