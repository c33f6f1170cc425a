"""The schedule: a level is earned again and again, or lost."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from jackfield_certification.front_door import FrontDoor, FrontDoorAway, FrontDoorRefused
from jackfield_certification.repository import Repository

log = structlog.get_logger(__name__)

JITTER: Final = 0.2
"""A run comes up to this share of the interval earlier or later, so that they do not come together."""
_LOOK_SECONDS: Final = 30.0
_AWAY: Final = timedelta(minutes=1)


def next_run(now: datetime, hours: float, chance: float) -> datetime | None:
    """When to run again; `chance` is a random number in [0, 1). None when nothing is scheduled."""
    if hours == 0:
        return None
    return now + timedelta(hours=hours) * (1 - JITTER + 2 * JITTER * chance)


class Schedule:
    """Asks for a new run of every certified connector, `hours` apart, through the front door."""

    def __init__(
        self, repository: Repository, front_door: Callable[[], FrontDoor], hours: float
    ) -> None:
        self._repository = repository
        self._front_door = front_door
        self._hours = hours

    async def work(self) -> None:
        """Ask for what is due, until cancelled."""
        while self._hours > 0:
            await self.ask()
            await asyncio.sleep(_LOOK_SECONDS)

    async def ask(self) -> int:
        """Ask for every run that is due now; returns how many were asked for."""
        asked = 0
        while True:
            now = datetime.now(UTC)
            due_again = next_run(now, self._hours, random.random())  # noqa: S311 - no secret
            due = await self._repository.take_due(due_again)
            if due is None:
                return asked
            connector, integration_id = due
            try:
                async with self._front_door() as front_door:
                    await front_door.request_run(integration_id)
            except FrontDoorAway as error:
                log.warning("run_not_scheduled", connector=connector, error=str(error))
                await self._repository.set_due(connector, now + _AWAY)
                return asked
            except FrontDoorRefused as refused:
                # The integration is gone: the level stays until another one is certified.
                log.warning("run_not_scheduled", connector=connector, error=str(refused))
                await self._repository.set_due(connector, None)
            else:
                asked += 1
