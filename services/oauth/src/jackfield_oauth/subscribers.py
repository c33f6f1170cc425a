"""Kafka in: one thin function per topic."""

from collections.abc import Awaitable, Callable

from jackfield_common.database import AWAY
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events import Answer, ConnectionRequested
from jackfield_common.events.message import now
from jackfield_common.kafka import Publisher
from jackfield_common.lanes import Work
from jackfield_oauth.service.vault import Vault


def connection_requested(vault: Vault, publisher: Publisher) -> Callable[[Work], Awaitable[None]]:
    """Keeps or deletes a credential, and answers whoever waits."""

    async def handle(work: Work) -> None:
        request = work.decode(ConnectionRequested)
        try:
            completed = await vault.carry_out(request, work.fence)
        except AWAY as error:
            raise Failure(ErrorKind.UNAVAILABLE, f"PostgreSQL: {type(error).__name__}") from error
        question = request.question
        if question is not None and question.deadline > now():
            await publisher.publish(
                Answer(
                    tenant=request.tenant,
                    correlation_id=question.correlation_id,
                    instance=question.instance,
                    success=completed.success,
                    message=completed.message,
                    error=completed.error,
                    data={"credential_version": completed.credential_version},
                )
            )

    return handle
