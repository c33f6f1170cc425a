"""Answers what the API asks of parked and dead work; a service hands its commands here."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog
from pydantic import BaseModel, JsonValue

from jackfield_common.database import Pool
from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.command import WorkCommand
from jackfield_common.events.message import JsonObject
from jackfield_common.events.question import Answer
from jackfield_common.kafka import Publisher
from jackfield_common.lanes.parking import Parking
from jackfield_common.lanes.selection import Selection

log = structlog.get_logger(__name__)

SEEN_SECONDS: Final = 1.25
"""Workers look for pauses once a second (Limits.watch_interval); a pause is answered when it holds."""


async def answer_command(command: WorkCommand, pool: Pool, publisher: Publisher) -> None:
    """Do what a command says, and answer its question while somebody still waits for it.

    May be given the same command again. The answer's `data` is, by verb: `list` {works, cursor,
    paused}, `read` {work}, `retry` {lanes}, `cancel` and `replay` {works}, `pause` and `resume` {}.
    Raises the errors of PostgreSQL and NotReady of the publisher: then give it again.
    """
    answer = await carry_out(command, Parking(pool))
    question = command.question
    if question is None or question.deadline <= datetime.now(UTC):
        return
    await publisher.publish(
        answer.model_copy(
            update={"correlation_id": question.correlation_id, "instance": question.instance}
        )
    )


async def carry_out(command: WorkCommand, parking: Parking) -> Answer:
    """Do what a command says; the answer is not addressed yet."""
    try:
        data = await _do(command, parking)
    except Failure as failure:
        return Answer(
            tenant=command.tenant,
            correlation_id="",
            instance="",
            success=False,
            message=failure.message,
            error=failure.kind,
            field=failure.field,
        )
    log.info("work_command", verb=command.verb, tenant=command.tenant, state=command.state)
    return Answer(tenant=command.tenant, correlation_id="", instance="", success=True, data=data)


async def _do(command: WorkCommand, parking: Parking) -> JsonObject:
    selection = Selection.of(command)
    match command.verb:
        case "list":
            page = await parking.page(command.state, selection, command.cursor, command.limit)
            paused: list[JsonValue] = [*await parking.paused(command.tenant)]
            return {**_json(page), "paused": paused}
        case "read":
            if len(command.work_ids) != 1:
                raise Failure(ErrorKind.INVALID, "read takes one work id", field="work_ids")
            return {"work": _json(await parking.read(command.tenant, command.work_ids[0]))}
        case "retry":
            selection.require_criterion()
            return {"lanes": await parking.retry(selection)}
        case "cancel":
            selection.require_criterion()
            return {"works": await parking.cancel(command.state, selection)}
        case "replay":
            selection.require_criterion()
            return {"works": await parking.replay(selection, command.id)}
        case "pause":
            await parking.pause(command.tenant, _integration(command))
            await asyncio.sleep(SEEN_SECONDS)
            return {}
        case "resume":
            await parking.resume(command.tenant, _integration(command))
            return {}


def _integration(command: WorkCommand) -> str:
    if command.integration_id is None:
        raise Failure(
            ErrorKind.INVALID, f"{command.verb} needs an integration", field="integration_id"
        )
    return command.integration_id


def _json(model: BaseModel) -> JsonObject:
    return model.model_dump(mode="json")
