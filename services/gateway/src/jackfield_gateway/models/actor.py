"""Who asks."""

from dataclasses import dataclass
from enum import StrEnum

from jackfield_common.ids import TenantId


class Scope(StrEnum):
    """What a key or a token opens: `read_api` everything that changes nothing, `api` everything."""

    API = "api"
    READ_API = "read_api"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody whose credential held. `name` stands in the audit trail, e.g. `key:bootstrap`."""

    name: str
    tenant: TenantId
    scopes: frozenset[Scope]

    def may_read(self) -> bool:
        """Whether it may ask for what changes nothing."""
        return bool(self.scopes)

    def may_change(self) -> bool:
        """Whether it may change things."""
        return Scope.API in self.scopes
