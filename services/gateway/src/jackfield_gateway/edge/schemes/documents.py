"""Documents that verification depends on, fetched from the vendor and kept: key sets, certificates.

A document is fetched once for all who wait for it. A failure is remembered for a while, and so is a
fetch for a key that did not turn up: senders cannot make us ask a vendor as often as they like.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import structlog

from jackfield_gateway.edge.fetching import FetchError

log = structlog.get_logger(__name__)

D = TypeVar("D")

_MAX_DOCUMENTS: Final = 1_000
_AGAIN: Final = 30.0
"""Seconds between two fetches of one document that brought nothing new."""


class Fetching(Protocol):
    """Fetches a document."""

    async def get(self, url: str) -> bytes:
        """The document. Raises FetchError."""
        ...


@dataclass(slots=True)
class _Kept(Generic[D]):
    document: D | None
    fetched: float


class Documents(Generic[D]):
    """Documents by address. `read` turns bytes into one and raises ValueError when it cannot."""

    def __init__(self, fetcher: Fetching, read: Callable[[bytes], D], lifetime: float) -> None:
        self._fetcher = fetcher
        self._read = read
        self._lifetime = lifetime
        self._kept: dict[str, _Kept[D]] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}

    def get(self, url: str) -> D | None:
        """The document, when it is here."""
        kept = self._kept.get(url)
        return None if kept is None else kept.document

    def may_fetch(self, url: str, *, wanted: bool) -> bool:
        """Whether to fetch now: it is not here, it is old, or something in it is `wanted`."""
        kept = self._kept.get(url)
        if kept is None:
            return True
        age = time.monotonic() - kept.fetched
        if kept.document is None or wanted:
            return age > _AGAIN
        return age > self._lifetime

    async def fetch(self, url: str) -> None:
        """Fetch it; on failure what was here stays."""
        task = self._fetching.get(url)
        if task is None:
            task = self._fetching[url] = asyncio.create_task(self._fetch(url))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        # whoever gives up waiting does not take the others' fetch with it
        await asyncio.shield(task)

    async def _fetch(self, url: str) -> None:
        try:
            document = self._read(await self._fetcher.get(url))
        except (FetchError, ValueError) as error:
            log.warning("verification_document_unavailable", url=url, error=str(error))
            kept = self._kept.get(url)
            document = None if kept is None else kept.document
        if len(self._kept) >= _MAX_DOCUMENTS and url not in self._kept:
            del self._kept[next(iter(self._kept))]
        self._kept[url] = _Kept(document, time.monotonic())
