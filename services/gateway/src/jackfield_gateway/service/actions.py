"""Calling vendors through the API."""

import hashlib
import json
from typing import Final

from jackfield_common.connector.manifest import ActionManifest, Manifest
from jackfield_common.errors import NotReady
from jackfield_common.events.action import ActionRequested
from jackfield_common.events.message import JsonObject, now
from jackfield_common.events.question import Answer, Question
from jackfield_common.ids import ActionId, new_id
from jackfield_gateway.models.action import ActionResult
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.integration import Integration
from jackfield_gateway.models.problem import Absent, Conflict, Invalid, invalid
from jackfield_gateway.repository.store import Store, Transaction
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.catalogue import Catalogue
from jackfield_gateway.service.installations import absent
from jackfield_gateway.service.json_schema import check
from jackfield_gateway.service.ports import Announcer, Asker

MAX_WAIT: Final = 60.0
"""Seconds that a caller may wait for a result."""
RESULTS_KEPT_HOURS: Final = 24


class Actions:
    """Actions asked for by callers of the API."""

    def __init__(
        self, store: Store, catalogue: Catalogue, announcer: Announcer, questions: Asker
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._announcer = announcer
        self._questions = questions

    async def call(
        self,
        actor: Actor,
        integration_id: str,
        name: str | None,
        given: JsonObject,
        *,
        wait: float,
        idempotency_key: str | None = None,
    ) -> ActionResult:
        """Do an action once, and wait for its result at most `wait` seconds; else it is pending.

        Without a name the action is the connection test. The same `idempotency_key` of the same caller
        means the same action: a second call waits for, or returns, the first one's result.
        Raises Absent, Conflict, Invalid naming the field, NotReady: then whether it will be done is not
        known, and the same idempotency key makes asking again harmless.
        """
        async with self._store.transaction() as tx:
            one = await tx.integrations.find(actor.tenant, integration_id)
            if one is None:
                raise absent(integration_id)
            action = self._callable(one, name)
            errors = check(action.input, given, "input")
            if errors:
                raise Invalid(errors)
            pending = ActionResult(
                action_id=new_id(),
                integration_id=one.integration_id,
                connector=one.connector,
                action=action.name,
                status="pending",
                requested_at=now(),
            )
            known = await _note(tx, actor, pending, given, idempotency_key)
        if known is not None:
            if known.status == "completed":
                return known
            # Not known to be done: asking again is harmless, since its id is the same, and brings the
            # answer here. It also sends what a crash between the row and the bus held back.
            pending = known
        return await self._ask(actor, one, action, pending, given, wait)

    async def get(self, actor: Actor, action_id: str) -> ActionResult:
        """An action and its result. Raises Absent, NotReady."""
        async with self._store.statements() as tx:
            result = await tx.actions.find(actor.tenant, action_id)
        if result is None:
            raise Absent(
                f"There is no action {action_id!r}; results are kept {RESULTS_KEPT_HOURS} hours."
            )
        return result

    def _callable(self, one: Integration, name: str | None) -> ActionManifest:
        """The action, if it can be called now."""
        manifest = self._catalogue.connector(one.connector)
        if manifest is None:
            raise Conflict(f"The connector {one.connector} is not in the catalogue any more.")
        action = manifest.action(manifest.test if name is None else name)
        if action is None:
            raise Absent(
                f"{one.connector} has no action {name!r}; it has: {', '.join(_names(manifest))}"
            )
        if not one.enabled:
            raise Conflict("This integration is disabled: enable it through configure.")
        if action.auth and one.auth not in action.auth:
            raise Conflict(
                f"{action.name} needs another way to sign in: {' or '.join(action.auth)}."
            )
        if one.auth not in (None, "none") and one.credential_version == 0:
            raise Conflict(
                "This integration has no credential yet: give it through"
                " POST /api/marketplace/configure."
            )
        if one.credential_status in ("sign_in", "reconnect"):
            raise Conflict(
                "Somebody has to sign in at the vendor first:"
                f" POST /api/marketplace/installed/{one.integration_id}/authorize gives the link."
            )
        return action

    async def _ask(
        self,
        actor: Actor,
        one: Integration,
        action: ActionManifest,
        pending: ActionResult,
        given: JsonObject,
        wait: float,
    ) -> ActionResult:
        request = ActionRequested(
            tenant=actor.tenant,
            action_id=ActionId(pending.action_id),
            integration_id=one.integration_id,
            connector=one.connector,
            action=action.name,
            input=given,
            ordering=_ordering(action, given),
            integration_version=one.version,
            caused_at=pending.requested_at,
        )
        if wait <= 0:
            await self._send(request, None)
            return pending
        with self._questions.ask(min(wait, MAX_WAIT)) as asked:
            await self._send(request, asked.question)
            try:
                answer = await asked.answer()
            except TimeoutError:
                return await self.get(actor, pending.action_id)
        result = _answered(pending, answer)
        async with self._store.statements() as tx:
            # What the bus brings later says the same and more; this is for whoever asks until then.
            await tx.actions.note_answer(actor.tenant, result)
        return result

    async def _send(self, request: ActionRequested, question: Question | None) -> None:
        try:
            await self._announcer.publish(request.model_copy(update={"question": question}))
        except NotReady as error:
            raise NotReady(
                f"{error}: whether action {request.action_id} will be done is not known. Ask"
                f" /api/actions/{request.action_id}, or repeat with the same Idempotency-Key.",
                retry_after=error.retry_after,
            ) from error


async def _note(
    tx: Transaction, actor: Actor, pending: ActionResult, given: JsonObject, key: str | None
) -> ActionResult | None:
    """Keep that the action is asked for; the earlier one if the key stands for it already."""
    if key is not None:
        fingerprint = _fingerprint(pending, given)
        claimed = await tx.actions.claim(
            actor.tenant, actor.name, key, fingerprint, pending.action_id
        )
        if claimed is not None:
            earlier, action_id = claimed
            if earlier != fingerprint:
                raise invalid("Idempotency-Key", "was used for another request: take a new one")
            known = await tx.actions.find(actor.tenant, action_id)
            if known is None:
                raise Conflict("The result under this Idempotency-Key is not kept any more.")
            return known
    await tx.actions.add(actor.tenant, pending)
    detail: JsonObject = {"action": pending.action, "action_id": pending.action_id}
    resource = f"integration:{pending.integration_id}"
    await tx.publish(allowed(actor, "action.call", resource, detail))
    return None


def _answered(pending: ActionResult, answer: Answer) -> ActionResult:
    return pending.model_copy(
        update={
            "status": "completed",
            "success": answer.success,
            "message": answer.message,
            "data": answer.data if answer.items is None else [*answer.items],
            "error": answer.error,
            "field": answer.field,
            "completed_at": now(),
        }
    )


def _names(manifest: Manifest) -> list[str]:
    return [action.name for action in manifest.actions]


def _ordering(action: ActionManifest, given: JsonObject) -> str:
    value = given.get(action.ordering) if action.ordering else None
    return "" if value is None else str(value)


def _fingerprint(pending: ActionResult, given: JsonObject) -> bytes:
    request = [pending.integration_id, pending.action, given]
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()
