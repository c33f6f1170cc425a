"""Judging an integration's health from what its calls come back with.

healthy ⇄ degraded → unhealthy: a single failure of the vendor degrades, several in a row, or a refused
credential, make unhealthy, one success heals. Failures that speak of the request say nothing of it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from jackfield_common.errors import ErrorKind
from jackfield_common.events.health import Health
from jackfield_connectors.models import Observation

UNHEALTHY_AFTER: Final = 3
MAX_REMEMBERED: Final = 16_384

_VENDOR: Final = frozenset(
    {
        ErrorKind.UNAVAILABLE,
        ErrorKind.CONNECTION,
        ErrorKind.TIMEOUT,
        ErrorKind.OUTCOME_UNKNOWN,
    }
)


@dataclass(slots=True)
class _Seen:
    failures: int = 0
    status: Health | None = None


class HealthWatch:
    """Remembers, for the integrations that were active last, what their calls came back with."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def forget(self, integration_id: str) -> None:
        """Drop an integration that was uninstalled."""
        self._seen.pop(integration_id, None)

    def judge(
        self,
        integration_id: str,
        error: ErrorKind | None,
        message: str,
        milliseconds: float | None,
        at: datetime,
        *,
        is_check: bool,
    ) -> Observation | None:
        """What a call says of the health; None when it says nothing new. A check always says something."""
        seen = self._seen.setdefault(integration_id, _Seen())
        self._seen.move_to_end(integration_id)
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.popitem(last=False)
        status = _status(seen, error, is_check=is_check)
        if status is None or (status is seen.status and not is_check):
            return None
        seen.status = status
        return Observation(
            status=status,
            authentication=_authentication(error),
            response_time_ms=milliseconds,
            checked_at=at if is_check else None,
            succeeded_at=at if error is None else None,
            error=error,
            message="" if error is None else message,
            always=is_check,
        )


def _status(seen: _Seen, error: ErrorKind | None, *, is_check: bool) -> Health | None:
    if error is None:
        seen.failures = 0
        return Health.HEALTHY
    if error is ErrorKind.AUTH:
        return Health.UNHEALTHY
    if error in _VENDOR:
        seen.failures += 1
        return Health.UNHEALTHY if seen.failures >= UNHEALTHY_AFTER else Health.DEGRADED
    # Of a check we know that the request is right: what else can be wrong is the integration.
    return Health.UNHEALTHY if is_check and error is not ErrorKind.RATE_LIMITED else None


def _authentication(
    error: ErrorKind | None,
) -> Literal["ok", "failed", "reconnect", "unknown"]:
    if error is None or error is ErrorKind.RATE_LIMITED:
        return "ok"
    return "failed" if error in (ErrorKind.AUTH, ErrorKind.FORBIDDEN) else "unknown"
