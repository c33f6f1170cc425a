"""Performing actions: once, in order, with a result that is kept.

What happens to a failure depends on who waits for the result:

- Nobody waits (a route, a workflow): a failure that may pass is given to the lane, which tries again
  later, parks, and in the end makes a dead letter; only then is there a result. Any other failure is
  the result at once, and the lane goes on.
- Somebody waits (`question`): it is tried again as long as the asker's deadline allows, and then the
  failure is the result. It is never parked: an hour later nobody would know what it was for.

A call that must not be repeated leaves an intent before it goes out. Found again, the intent means that
a process died in between: the outcome is unknown, which is a result and a dead letter for the owner.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Final, Protocol

import structlog
from pydantic import JsonValue

from jackfield_common.connector.auth import OAuth2
from jackfield_common.connector.repeat import Repeat
from jackfield_common.database import Connection
from jackfield_common.errors import RETRYABLE, ErrorKind, Failure, NotReady, StaleRead
from jackfield_common.events.action import ActionCompleted, ActionRequested
from jackfield_common.events.credential import RefreshRequested
from jackfield_common.events.integration import IntegrationState
from jackfield_common.events.message import now
from jackfield_common.events.question import Answer
from jackfield_common.kafka import Publisher
from jackfield_common.lanes import Policy, Work
from jackfield_common.outbox import Outbox
from jackfield_common.state import ReadModel
from jackfield_connectors.engine import Engine, Prepared, Result, Unfitting
from jackfield_connectors.engine.credentials import Credential, Credentials
from jackfield_connectors.engine.metrics import ACTIONS, OWN_SECONDS
from jackfield_connectors.engine.operations import Operation
from jackfield_connectors.models import Begun, Finished, Observation
from jackfield_connectors.repository import Repository
from jackfield_connectors.service.health import HealthWatch

log = structlog.get_logger(__name__)

STATE_WAIT: Final = 10.0
"""Seconds that an action waits for the integration or the credential that it was built on."""
REFRESH_WAIT: Final = 15.0
"""Seconds that an action waits for a refreshed credential."""
ASKED_BACKOFF: Final = 0.5
_MAX_REFRESHES: Final = 4096
_LONGEST_CHANCE: Final = 0.999_999


class Shelf(Protocol):
    """Where operations are found."""

    def find(self, connector: str, action: str) -> Operation:
        """The action of a connector. Raises Failure(INVALID)."""
        ...


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one attempt ended: `data` when `failure` is None."""

    failure: Failure | None
    data: JsonValue
    vendor_seconds: float


class Actions:
    """Performs what is asked for; `work` is the record that asks."""

    def __init__(
        self,
        *,
        shelf: Shelf,
        engine: Engine,
        integrations: ReadModel[IntegrationState],
        credentials: Credentials,
        repository: Repository,
        outbox: Outbox,
        publisher: Publisher,
        policy: Policy,
        health: HealthWatch,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._shelf = shelf
        self._engine = engine
        self._integrations = integrations
        self._credentials = credentials
        self._repository = repository
        self._outbox = outbox
        self._publisher = publisher
        self._policy = policy
        self._health = health
        self._clock = clock
        self._refreshes: OrderedDict[tuple[str, int], None] = OrderedDict()

    async def perform(self, request: ActionRequested, work: Work) -> None:
        """Perform one requested action. Raises Failure for what the lane has to deal with."""
        known = await self._repository.find(request.action_id)
        if isinstance(known, Finished) and not _may_run_again(known, work):
            await self._answer(request, known.result)
            return
        if isinstance(known, Begun) and known.state == "intent" and not _is_new(known, work):
            failure = Failure(
                ErrorKind.OUTCOME_UNKNOWN,
                "the process that made this call ended before the answer came: it may have been"
                " carried out, and is not repeated by itself",
            )
            await self._finish(work, request, _Outcome(failure, None, 0.0), perf_counter())
            raise failure
        if request.question is not None:
            await self._asked(work, request)
        else:
            await self._unasked(work, request)

    async def _unasked(self, work: Work, request: ActionRequested) -> None:
        started = perf_counter()
        outcome = await self._attempt(work, request, STATE_WAIT)
        failure = outcome.failure
        if failure is None or not failure.retryable or failure.kind is ErrorKind.AUTH:
            await self._finish(work, request, outcome, started)
            if failure is not None and failure.kind is ErrorKind.OUTCOME_UNKNOWN:
                raise failure
            return
        if self._is_last(work, failure):
            await self._finish(work, request, outcome, started)
        else:
            await self._observe(work, request, outcome, started)
        raise failure

    async def _asked(self, work: Work, request: ActionRequested) -> None:
        assert request.question is not None
        started = perf_counter()
        deadline = started + (request.question.deadline - self._clock()).total_seconds()
        attempt = 0
        while True:
            left = max(deadline - perf_counter(), 0.0)
            outcome = await self._attempt(work, request, min(STATE_WAIT, left))
            attempt += 1
            failure = outcome.failure
            if failure is None or not failure.retryable or failure.kind is ErrorKind.AUTH:
                break
            pause = failure.retry_after or ASKED_BACKOFF * 2 ** (attempt - 1)
            if perf_counter() + pause >= deadline:
                break
            await asyncio.sleep(pause)
        await self._finish(work, request, outcome, started, attempts=attempt)
        if outcome.failure is not None and outcome.failure.kind is ErrorKind.OUTCOME_UNKNOWN:
            raise outcome.failure

    async def _attempt(self, work: Work, request: ActionRequested, wait: float) -> _Outcome:
        """One attempt, with one more after a refreshed credential."""
        try:
            integration = await self._integration(request, wait)
            operation = self._shelf.find(integration.connector, request.action)
            credential = await self._credentials.current(integration, wait)
        except Failure as failure:
            return _Outcome(failure, None, 0.0)
        outcome = await self._call(work, request, integration, operation, credential)
        if outcome.failure is None or outcome.failure.kind is not ErrorKind.AUTH:
            return outcome
        refreshed = await self._refreshed(integration, operation, credential, wait)
        if refreshed is None:
            return outcome
        return await self._call(work, request, integration, operation, refreshed)

    async def _call(
        self,
        work: Work,
        request: ActionRequested,
        integration: IntegrationState,
        operation: Operation,
        credential: Credential,
    ) -> _Outcome:
        try:
            prepared = self._engine.prepare(
                operation, integration, credential, request.input, request.action_id, work.check
            )
        except Failure as failure:
            return _Outcome(failure, None, 0.0)
        began = prepared.repeat is Repeat.UNSAFE
        replay = work.replayed_by or ""
        if began:
            work.check()
            await work.store(lambda connection: self._repository.begin(connection, request, replay))
        outcome = await self._performed(prepared)
        failure = outcome.failure
        if began and failure is not None and failure.retryable:
            # Known to have done nothing: the next attempt must not take it for a crash.
            await work.store(
                lambda connection: self._repository.reopen(connection, request, replay)
            )
        return outcome

    async def _performed(self, prepared: Prepared) -> _Outcome:
        try:
            result: Result = await self._engine.perform(prepared)
        except Unfitting as failure:
            return _Outcome(failure, {"raw": failure.raw}, prepared.call.vendor_seconds)
        except Failure as failure:
            return _Outcome(failure, None, prepared.call.vendor_seconds)
        return _Outcome(None, result.data, result.vendor_seconds)

    async def _integration(self, request: ActionRequested, wait: float) -> IntegrationState:
        try:
            integration = await self._integrations.wait_for(
                request.integration_id, request.integration_version, wait
            )
        except StaleRead as error:
            if self._integrations.deleted(request.integration_id):
                raise Failure(
                    ErrorKind.NOT_FOUND, "the integration was uninstalled", field="integration_id"
                ) from None
            raise Failure(ErrorKind.UNAVAILABLE, str(error), retry_after=1.0) from None
        if integration.tenant != request.tenant:
            raise Failure(
                ErrorKind.NOT_FOUND, "the integration does not exist", field="integration_id"
            )
        if not integration.enabled:
            raise Failure(ErrorKind.FORBIDDEN, "the integration is switched off", field="enabled")
        return integration

    async def _refreshed(
        self,
        integration: IntegrationState,
        operation: Operation,
        credential: Credential,
        wait: float,
    ) -> Credential | None:
        """The credential after a refresh; None where it cannot be refreshed or does not come in time."""
        schemes = operation.manifest.auth
        if credential.version == 0 or not any(
            scheme.kind == credential.auth for scheme in schemes if isinstance(scheme, OAuth2)
        ):
            return None
        if not await self._refresh_asked(integration, credential.version):
            return None
        return await self._credentials.newer(
            integration, credential, REFRESH_WAIT if wait == STATE_WAIT else wait
        )

    async def _refresh_asked(self, integration: IntegrationState, version: int) -> bool:
        """Ask the vault for a refresh, once for each version; False while Kafka is away."""
        asked = (integration.integration_id, version)
        if asked in self._refreshes:
            return True
        # Noted before the wait: others that meet the same refusal must not ask as well.
        self._refreshes[asked] = None
        if len(self._refreshes) > _MAX_REFRESHES:
            self._refreshes.popitem(last=False)
        try:
            await self._publisher.publish(
                RefreshRequested(
                    tenant=integration.tenant,
                    integration_id=integration.integration_id,
                    credential_version=version,
                )
            )
        except NotReady as error:
            log.warning("refresh_not_requested", error=str(error))
            self._refreshes.pop(asked, None)
            return False
        return True

    def _is_last(self, work: Work, failure: Failure) -> bool:
        """Whether the lane gives this work up, however its dice fall."""
        elapsed = (self._clock() - work.first_attempt_at).total_seconds()
        return any(
            self._policy.delay(failure.kind, work.attempt, elapsed, chance, failure.retry_after)
            is None
            for chance in (0.0, _LONGEST_CHANCE)
        )

    async def _finish(
        self,
        work: Work,
        request: ActionRequested,
        outcome: _Outcome,
        started: float,
        *,
        attempts: int | None = None,
    ) -> None:
        """Keep the result and publish it, together; then tell whoever waits for it."""
        seconds = perf_counter() - started
        completed = _completed(request, outcome, seconds, attempts or work.attempt)
        health = self._judged(request, outcome)

        async def effect(connection: Connection) -> None:
            if await self._repository.finish(connection, completed, work.replayed_by or ""):
                await self._outbox.put(connection, completed)
            await self._keep_health(connection, request, health)

        await work.store(effect)
        self._outbox.wake()
        name = completed.error.value if completed.error else "ok"
        ACTIONS.labels(request.connector, request.action, name).inc()
        OWN_SECONDS.observe(max(seconds - outcome.vendor_seconds, 0.0))
        if completed.error is ErrorKind.INVALID:
            log.warning(
                "action_invalid",
                integration=request.integration_id,
                action=request.action,
                field=completed.field,
            )
        await self._answer(request, completed)

    async def _observe(
        self, work: Work, request: ActionRequested, outcome: _Outcome, started: float
    ) -> None:
        """Publish what a failed attempt says of the integration's health."""
        health = self._judged(request, outcome)
        if health is not None:
            await work.store(lambda connection: self._keep_health(connection, request, health))
            self._outbox.wake()

    def _judged(self, request: ActionRequested, outcome: _Outcome) -> Observation | None:
        failure = outcome.failure
        if outcome.vendor_seconds == 0.0 and request.action != "test_connection":
            return None  # nothing was asked of the vendor
        return self._health.judge(
            request.integration_id,
            failure.kind if failure is not None else None,
            failure.message if failure is not None else "",
            outcome.vendor_seconds * 1000 or None,
            self._clock(),
            is_check=request.action == "test_connection",
        )

    async def _keep_health(
        self, connection: Connection, request: ActionRequested, seen: Observation | None
    ) -> None:
        integration = self._integrations.get(request.integration_id)
        if seen is None or integration is None:
            return
        state = await self._repository.observe(connection, integration, seen)
        if state is not None:
            await self._outbox.put(connection, state)

    async def _answer(self, request: ActionRequested, completed: ActionCompleted) -> None:
        question = request.question
        if question is None or question.deadline <= self._clock():
            return
        answer = Answer(
            tenant=request.tenant,
            correlation_id=question.correlation_id,
            instance=question.instance,
            success=completed.success,
            message=completed.message,
            error=completed.error,
            field=completed.field,
            data=completed.data if isinstance(completed.data, dict) else None,
            items=tuple(completed.data) if isinstance(completed.data, list) else None,
        )
        try:
            await self._publisher.publish(answer)
        except (NotReady, Failure) as error:
            # The result is kept: the asker can read it after its deadline.
            log.warning("answer_not_sent", action_id=request.action_id, error=str(error))


def _may_run_again(known: Finished, work: Work) -> bool:
    """Whether a result does not stand: it failed for want of the vendor, or its owner replays it."""
    if known.result.success:
        return False
    return _is_new(known, work) or known.result.error in RETRYABLE


def _is_new(known: Begun | Finished, work: Work) -> bool:
    """Whether the owner had this work run again since that was noted."""
    return work.replayed_by is not None and work.replayed_by != known.replayed_by


def _completed(
    request: ActionRequested, outcome: _Outcome, seconds: float, attempts: int
) -> ActionCompleted:
    failure = outcome.failure
    return ActionCompleted(
        tenant=request.tenant,
        action_id=request.action_id,
        integration_id=request.integration_id,
        connector=request.connector,
        action=request.action,
        success=failure is None,
        message=f"{request.action} done" if failure is None else failure.message,
        data=outcome.data,
        error=failure.kind if failure is not None else None,
        field=failure.field if failure is not None else None,
        attempts=attempts,
        duration_ms=seconds * 1000,
        vendor_ms=outcome.vendor_seconds * 1000,
        requested_at=request.at,
        cause=request.cause,
        subscription_id=request.subscription_id,
        caused_at=request.caused_at,
    )
