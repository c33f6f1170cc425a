"""What an action that is code, rather than data, is given to reach its vendor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from jackfield_common.connector.manifest import Method


@dataclass(frozen=True, slots=True)
class Reply:
    """A vendor's answer: lowercase header names; `json` is None where the body is not JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: JsonValue = None


class Vendor(Protocol):
    """One integration at its vendor: every call is signed in, limited, timed and mapped by the engine."""

    @property
    def config(self) -> Mapping[str, JsonValue]:
        """The installation's settings."""
        ...

    @property
    def auth(self) -> str:
        """The kind of credential at hand."""
        ...

    async def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: JsonValue = None,
        form: Mapping[str, JsonValue] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        signed_in: bool = True,
    ) -> Reply:
        """Call the vendor. `path` is relative to the base URL, or a whole https address.

        `signed_in=False` leaves the credential out, as for an upload address that the vendor handed out.
        Raises Failure of the kind that the error map gives.
        """
        ...
