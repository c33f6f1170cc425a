"""Parked and dead work: asked of the services that have it, over the bus."""

from typing import Any, Final, Literal, cast

from jackfield_common.errors import ErrorKind
from jackfield_common.events.command import ConnectorsCommand, WebhooksCommand, WorkCommand
from jackfield_common.events.message import JsonObject
from jackfield_common.ids import IntegrationId, derived_id, new_id
from jackfield_common.lanes.parking import WorkContent, WorkRow
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.problem import Absent, Conflict, Unanswered, invalid
from jackfield_gateway.models.work import WorkChoice, Worker, WorkPage, WorkState
from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.ports import Announcer, Asker

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that a service has to answer."""

_COMMANDS: Final[dict[Worker, type[WorkCommand]]] = {
    Worker.WEBHOOKS: WebhooksCommand,
    Worker.CONNECTORS: ConnectorsCommand,
}
Change = Literal["retry", "cancel", "replay"]
Pause = Literal["pause", "resume"]


class Works:
    """What owners ask of their parked and dead work."""

    def __init__(self, store: Store, announcer: Announcer, questions: Asker) -> None:
        self._store = store
        self._announcer = announcer
        self._questions = questions

    async def page(
        self,
        actor: Actor,
        worker: Worker,
        state: WorkState,
        choice: WorkChoice,
        limit: int,
        cursor: str | None,
    ) -> WorkPage:
        """Work of a tenant, oldest first. Raises Invalid for a bad cursor, NotReady, Unanswered."""
        more = {"state": state.value, "limit": limit, "cursor": cursor}
        data = await self._ask(actor, worker, "list", choice, **more)
        rows = cast(list[Any], data["works"])
        return WorkPage(
            items=tuple(WorkRow.model_validate(row) for row in rows),
            next_cursor=cast(str | None, data["cursor"]),
            paused=tuple(cast(list[str], data["paused"])),
        )

    async def read(self, actor: Actor, worker: Worker, work_id: str) -> WorkContent:
        """One piece of work with its original bytes and headers. Raises Absent, NotReady, Unanswered."""
        data = await self._ask(actor, worker, "read", WorkChoice(work_ids=(work_id,)))
        return WorkContent.model_validate(data["work"])

    async def change(
        self,
        actor: Actor,
        worker: Worker,
        change: Change,
        state: WorkState,
        choice: WorkChoice,
        idempotency_key: str | None = None,
    ) -> int:
        """Retry, give up, or run again; returns how much that was.

        Raises Invalid, NotReady, Unanswered.

        The same `idempotency_key` of the same actor replays a piece of work once.
        """
        await self._record(actor, worker, change, choice)
        command_id = (
            new_id()
            if idempotency_key is None
            else derived_id("work", actor.tenant, actor.name, idempotency_key)
        )
        data = await self._ask(actor, worker, change, choice, state=state.value, id=command_id)
        return int(cast(int, data["lanes" if change == "retry" else "works"]))

    async def pause(self, actor: Actor, worker: Worker, verb: Pause, integration_id: str) -> None:
        """Let an integration's work wait, or go on. Raises NotReady, Unanswered."""
        choice = WorkChoice(integration_id=integration_id)
        await self._record(actor, worker, verb, choice)
        await self._ask(actor, worker, verb, choice)

    async def _record(
        self, actor: Actor, worker: Worker, verb: Change | Pause, choice: WorkChoice
    ) -> None:
        detail = cast(JsonObject, choice.model_dump(mode="json", exclude_defaults=True))
        async with self._store.transaction() as tx:
            await tx.publish(allowed(actor, f"work.{verb}", f"work:{worker}", detail))

    async def _ask(
        self,
        actor: Actor,
        worker: Worker,
        verb: str,
        choice: WorkChoice,
        **more: object,
    ) -> JsonObject:
        integration = choice.integration_id
        with self._questions.ask(ANSWER_TIMEOUT) as asked:
            command = _COMMANDS[worker].model_validate(
                {
                    **choice.model_dump(),
                    "integration_id": None if integration is None else IntegrationId(integration),
                    "tenant": actor.tenant,
                    "verb": verb,
                    "question": asked.question,
                    **more,
                }
            )
            await self._announcer.publish(command)
            try:
                answer = await asked.answer()
            except TimeoutError:
                later = (
                    "ask again"
                    if verb in ("list", "read")
                    else "it does what was asked as soon as it runs; asking again does no harm"
                )
                raise Unanswered(
                    f"The {worker} service did not answer within {ANSWER_TIMEOUT:g} s: {later}."
                ) from None
        if answer.success:
            return answer.data or {}
        match answer.error:
            case ErrorKind.NOT_FOUND:
                raise Absent(answer.message)
            case ErrorKind.INVALID:
                raise invalid(answer.field or "work_ids", answer.message)
            case _:
                raise Conflict(answer.message)
