"""Certification: asking for runs, reading reports and levels."""

from jackfield_common.events.certification import LevelState, RunRequested
from jackfield_common.events.message import now
from jackfield_common.ids import new_id
from jackfield_gateway.models.actor import Actor
from jackfield_gateway.models.certification import (
    CertificationRun,
    ConnectorLevel,
    Levels,
    RunDraft,
)
from jackfield_gateway.models.problem import Absent, invalid
from jackfield_gateway.repository.store import Store
from jackfield_gateway.service.audit import allowed
from jackfield_gateway.service.ports import View, loaded


class Certification:
    """Certification runs and levels."""

    def __init__(self, store: Store, levels: View[LevelState]) -> None:
        self._store = store
        self._levels = levels

    async def request(self, actor: Actor, draft: RunDraft) -> CertificationRun:
        """Ask for a run. Raises Invalid for an unknown integration, NotReady."""
        async with self._store.transaction() as tx:
            one = await tx.integrations.keep(actor.tenant, draft.integration_id)
            if one is None:
                raise invalid("integration_id", "is not an installed integration")
            run = CertificationRun(
                run_id=new_id(),
                integration_id=one.integration_id,
                connector=one.connector,
                suites=draft.suites,
                status="requested",
                requested_at=now(),
            )
            await tx.certifications.add(actor.tenant, run)
            await tx.publish(
                RunRequested(
                    tenant=actor.tenant,
                    run_id=run.run_id,
                    integration_id=one.integration_id,
                    connector=one.connector,
                    suites=draft.suites,
                )
            )
            await tx.publish(
                allowed(
                    actor,
                    "certification.run",
                    f"integration:{one.integration_id}",
                    {"run_id": run.run_id, "suites": list(draft.suites)},
                )
            )
        return run

    async def get(self, actor: Actor, run_id: str) -> CertificationRun:
        """A run, with its report once it is completed. Raises Absent, NotReady."""
        async with self._store.statements() as tx:
            run = await tx.certifications.find(actor.tenant, run_id)
        if run is None:
            raise Absent(f"There is no certification run {run_id!r}.")
        return run

    def levels(self) -> Levels:
        """The level of every certified connector, by name. Raises NotReady."""
        states = sorted(loaded(self._levels, "the levels").values(), key=lambda one: one.connector)
        return Levels(
            items=tuple(
                ConnectorLevel.model_validate(state, from_attributes=True) for state in states
            )
        )
