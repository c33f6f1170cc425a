"""The service's own types."""

from dataclasses import dataclass

from pydantic import AwareDatetime

from jackfield_common.ids import IntegrationId, TenantId


@dataclass(frozen=True, slots=True)
class Run:
    """A run that this process holds, until its lease ends. `attempt` counts from 1.

    `manifest` is the digest of the manifest that earlier attempts worked on; empty before the first.
    """

    run_id: str
    tenant: TenantId
    integration_id: IntegrationId
    connector: str
    suites: tuple[str, ...]
    attempt: int
    manifest: str
    requested_at: AwareDatetime
    started_at: AwareDatetime
