"""Kafka in: one thin function per topic."""

from collections.abc import Awaitable, Callable

from jackfield_common.database import AWAY
from jackfield_common.errors import ContractError, ErrorKind, Failure, NotReady
from jackfield_common.events import (
    Answer,
    ConnectionCompleted,
    ConnectionRequested,
    RefreshRequested,
)
from jackfield_common.events.message import JsonObject, now
from jackfield_common.kafka import Publisher
from jackfield_common.lanes import Work
from jackfield_oauth.service.vault import Vault
from jackfield_oauth.service.vendor.refresh import Refresher

Handle = Callable[[Work], Awaitable[None]]


def handler(vault: Vault, refresher: Refresher, publisher: Publisher) -> Handle:
    """What is done with each topic's records."""
    handlers: dict[str, Handle] = {
        ConnectionRequested.topic.name: connection_requested(vault, publisher),
        RefreshRequested.topic.name: refresh_requested(refresher),
    }

    async def handle(work: Work) -> None:
        known = handlers.get(work.topic)
        if known is None:
            raise ContractError(f"nobody here reads {work.topic}")
        try:
            await known(work)
        except AWAY as error:
            raise Failure(ErrorKind.UNAVAILABLE, f"PostgreSQL: {type(error).__name__}") from error

    return handle


def connection_requested(vault: Vault, publisher: Publisher) -> Handle:
    """Keeps or deletes a credential, and answers whoever waits."""

    async def handle(work: Work) -> None:
        request = work.decode(ConnectionRequested)
        completed = await vault.carry_out(request, work.fence)
        question = request.question
        if question is None or question.deadline <= now():
            return
        answer = Answer(
            tenant=request.tenant,
            correlation_id=question.correlation_id,
            instance=question.instance,
            success=completed.success,
            message=completed.message,
            error=completed.error,
            data=_told(completed),
        )
        try:
            await publisher.publish(answer)
        except NotReady as error:
            # The work is done; the same request again changes nothing, and answers.
            raise Failure(ErrorKind.UNAVAILABLE, str(error)) from error

    return handle


def refresh_requested(refresher: Refresher) -> Handle:
    """Renews a credential at its vendor."""

    async def handle(work: Work) -> None:
        await refresher.carry_out(work.decode(RefreshRequested), work)

    return handle


def _told(completed: ConnectionCompleted) -> JsonObject:
    told: JsonObject = {"credential_version": completed.credential_version}
    if completed.authorization is not None:
        told["authorization"] = completed.authorization.model_dump(mode="json")
    return told
