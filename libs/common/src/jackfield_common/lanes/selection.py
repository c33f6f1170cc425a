"""Which parked or dead work is meant: by id, or by integration, kind and time, within one tenant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jackfield_common.errors import ErrorKind, Failure
from jackfield_common.events.command import WorkCommand


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of `tenant` that meet every criterion given. `since` is included, `until` is not."""

    tenant: str
    work_ids: tuple[str, ...] = ()
    key: str | None = None
    kind: ErrorKind | None = None
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, command: WorkCommand) -> "Selection":
        """What a command selects."""
        return cls(
            tenant=command.tenant,
            work_ids=command.work_ids,
            key=command.integration_id,
            kind=command.kind,
            since=command.since,
            until=command.until,
        )

    def require_criterion(self) -> None:
        """Raises Failure(INVALID) when everything of a tenant would be meant."""
        if not (self.work_ids or self.key or self.kind or self.since or self.until):
            raise Failure(
                ErrorKind.INVALID,
                "say which work: work_ids, an integration, a kind, or a time range",
                field="work_ids",
            )

    def where(self, state: str) -> tuple[str, list[Any]]:
        """A condition on lane_work, and its parameters from $1 on."""
        clauses = ["state = $1", "tenant = $2"]
        values: list[Any] = [state, self.tenant]
        for clause, value in (
            ("id = ANY({})", list(self.work_ids) or None),
            ("key = {}", self.key),
            ("kind = {}", self.kind.value if self.kind else None),
            ("changed_at >= {}", self.since),
            ("changed_at < {}", self.until),
        ):
            if value is not None:
                values.append(value)
                clauses.append(clause.format(f"${len(values)}"))
        return " AND ".join(clauses), values
