"""API keys."""

from pydantic import AwareDatetime, Field

from jackfield_gateway.models.actor import Scope
from jackfield_gateway.models.page import Page
from jackfield_gateway.models.value import Moment, Name, Value, Wanted


class KeyDraft(Wanted):
    """A key to make."""

    name: Name = Field(examples=["Deploy pipeline"])
    scopes: tuple[Scope, ...] = Field(default=(Scope.API,), min_length=1, max_length=2)
    expires_at: Moment | None = None


class ApiKey(Value):
    """A key, without what opens."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None


class NewApiKey(ApiKey):
    """A key that was just made; `key` is shown this once."""

    key: str = Field(repr=False)


class ApiKeyPage(Page[ApiKey]):
    """A page of keys."""
