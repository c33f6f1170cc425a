"""What an answer of the API spoke of stands on the bus, as far as that can be had in time."""

from typing import Final

import structlog

from jackfield_common.errors import StaleRead
from jackfield_common.events.message import State
from jackfield_gateway.service.ports import View

log = structlog.get_logger(__name__)

VISIBLE_WITHIN: Final = 2.0
"""Seconds that a change is waited for. It is committed by then: later it comes by itself."""


async def become_visible(view: View[State], key: str, version: int) -> None:
    """Wait until `view` has `key` at this version or a later one."""
    try:
        await view.wait_for(key, version, VISIBLE_WITHIN)
    except StaleRead as error:
        log.warning("not_yet_visible", error=str(error))


async def become_invisible(view: View[State], key: str, version: int) -> None:
    """Wait until `view` knows that `key` was deleted at this version."""
    try:
        await view.wait_for(key, version, VISIBLE_WITHIN)
    except StaleRead as error:
        if view.get(key) is not None:
            log.warning("not_yet_invisible", error=str(error))
