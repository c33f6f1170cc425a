"""The demo's steps: install, configure, route, deliver, refuse, clean up."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import BaseModel, JsonValue

from jackfield_cli.api import Api
from jackfield_cli.demo.push import SIGNATURE, Push
from jackfield_cli.demo.receiver import Arrival, Receiver
from jackfield_cli.demo.witness import EVENTS, Witness
from jackfield_cli.local.errors import LocalError
from jackfield_cli.resources import Event, Installed, Route
from jackfield_common.topics import ACTION_COMPLETED, ACTION_REQUESTED, DELIVERY_VERIFIED

_PATH = "/api/marketplace"
_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1
_TEXT = '{"text": occurrence.actor & " pushed to " & occurrence.repository & " (" & occurrence.ref & ")"}'

Tell = Callable[[str], None]
T = TypeVar("T")


class Accepted(BaseModel):
    """The webhook listener's answer."""

    status: str
    eventId: str  # as it is on the wire


@dataclass(frozen=True)
class Hop:
    """Where the push was, and how many milliseconds after it was sent."""

    where: str
    milliseconds: float


@dataclass(frozen=True)
class Outcome:
    """What the demo saw."""

    message: str
    hops: tuple[Hop, ...]
    refused_with: int
    integrations: Mapping[str, str]


@dataclass
class Story:
    """Plays the demo against one API; `tell` hears of each step as it is done.

    `vendor` posts the webhooks. Its connection is open before the clock starts, as a vendor's is.
    """

    api: Api
    vendor: httpx.AsyncClient
    witness: Witness
    receiver: Receiver
    tell: Tell
    _made: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    async def play(self) -> Outcome:
        """Everything up to the arrival and the refusal. `LocalError` when a step does not come off."""
        secret = secrets.token_hex(16)
        code = await self._installed("github", "Demo: code", {"webhook_secret": secret})
        self.tell(f"installed GitHub, webhooks go to {code.webhook_url}")
        chat = await self._installed(
            "slack", "Demo: chat", {"webhook_url": self.receiver.url}, auth="secret_url"
        )
        self.tell(f"installed Slack, its incoming webhook is a receiver here: {self.receiver.url}")
        await self._until(
            lambda: self._credential_is_kept(chat), "the vault to keep the credential"
        )
        await self._route(code, chat)
        self.tell("added a route: push → send_message")
        if code.webhook_url is None:
            raise LocalError("The GitHub template receives no webhooks.", "Is it another version?")
        refused = await self._refused(code, secret)
        self.tell(f"posted a recorded push with a wrong signature: {refused}, nothing on the bus")
        hops, arrival = await self._delivered(code, chat, secret)
        self.tell(f"posted it with the right one; the message arrived: {arrival.message.text}")
        integrations = {"github": code.integration_id, "slack": chat.integration_id}
        return Outcome(arrival.message.text, hops, refused, integrations)

    async def clean_up(self) -> None:
        """Remove what was made, the latest first."""
        while self._made:
            await asyncio.to_thread(self._made.pop())

    async def _installed(
        self, template: str, name: str, credentials: dict[str, JsonValue], auth: str | None = None
    ) -> Installed:
        wanted: dict[str, JsonValue] = {"template_name": template, "custom_name": name}
        wanted |= {"auth": auth} if auth else {}
        made = await asyncio.to_thread(self.api.post, f"{_PATH}/install", Installed, wanted)
        address = f"{_PATH}/installed/{made.integration_id}"
        self._made.append(lambda: self.api.delete(address, {"routes": "disable"}))
        given: dict[str, JsonValue] = {
            "integration_id": made.integration_id,
            "credentials": credentials,
        }
        return await asyncio.to_thread(self.api.post, f"{_PATH}/configure", Installed, given)

    async def _credential_is_kept(self, integration: Installed) -> bool:
        path = f"{_PATH}/installed/{integration.integration_id}"
        now = await asyncio.to_thread(self.api.get, path, Installed)
        if now.credential_status == "failed":
            raise LocalError("The credential was refused:", now.credential_message)
        return now.credential_status == "stored"

    async def _route(self, code: Installed, chat: Installed) -> None:
        draft: dict[str, JsonValue] = {
            "name": "Demo: pushes to the chat",
            "source": code.integration_id,
            "events": ["push"],
            "target": {
                "integration_id": chat.integration_id,
                "action": "send_message",
                "transform": _TEXT,
            },
        }
        route = await asyncio.to_thread(self.api.post, "/api/routes", Route, draft)
        self._made.append(lambda: self.api.delete(f"/api/routes/{route.subscription_id}"))

    async def _delivered(
        self, code: Installed, chat: Installed, secret: str
    ) -> tuple[tuple[Hop, ...], Arrival]:
        """Post the push until the route, which travels over the bus, has reached the router."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            sent = time.time()
            accepted = await self._post(code, Push.recorded(secret))
            answered = time.time()
            if accepted.status_code != HTTPStatus.ACCEPTED:
                raise LocalError(
                    f"The push was answered with {accepted.status_code}: {accepted.text[:200]}.",
                    "See `jackfield logs gateway`.",
                )
            event_id = Accepted.model_validate_json(accepted.content).eventId
            if not await self._was_routed(event_id, deadline):
                continue
            arrival = await self._within(self.receiver.arrivals.get(), "the message to arrive")
            watched = (
                ("verified, put on the bus", DELIVERY_VERIFIED, code),
                ("normalised event published", EVENTS, code),
                ("action asked for", ACTION_REQUESTED, chat),
                ("result published", ACTION_COMPLETED, chat),
            )
            times = [("answered with 202", answered), ("message at the receiver", arrival.at)]
            for where, topic, integration in watched:
                seen = self.witness.first(topic, integration.integration_id, after=sent)
                times.append((where, (await self._within(seen, f"the record “{where}”")).at))
            times.sort(key=lambda each: each[1])
            return tuple(Hop(where, max(0.0, (at - sent) * 1000)) for where, at in times), arrival
        raise LocalError("The route did not take the push.", "See `jackfield logs webhooks`.")

    async def _was_routed(self, event_id: str, deadline: float) -> bool:
        path = f"/api/events/{event_id}"
        while time.monotonic() < deadline:
            # The final state is not there before the event was routed.
            event = await asyncio.to_thread(self.api.find, path, Event)
            if event is not None:
                return bool(event.matched)
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _refused(self, code: Installed, secret: str) -> int:
        await self.witness.caught_up()
        before = self.witness.count(DELIVERY_VERIFIED, code.integration_id)
        push = Push.recorded(secret)
        forged = Push({**push.headers, SIGNATURE: f"sha256={'0' * 64}"}, push.body)
        answer = await self._post(code, forged)
        await self.witness.caught_up()
        after = self.witness.count(DELIVERY_VERIFIED, code.integration_id)
        if answer.status_code != HTTPStatus.UNAUTHORIZED or after != before:
            raise LocalError(
                f"A wrong signature was answered with {answer.status_code}, "
                f"with {after - before} records on the bus.",
                "Please report this.",
            )
        return answer.status_code

    async def _post(self, code: Installed, push: Push) -> httpx.Response:
        return await self.vendor.post(
            code.webhook_url or "", content=push.body, headers=push.headers
        )

    async def _until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not await condition():
            if time.monotonic() > deadline:
                raise LocalError(f"Waited in vain for {what}.", "See `jackfield status`.")
            await asyncio.sleep(_POLL_SECONDS)

    async def _within(self, awaited: Awaitable[T], what: str) -> T:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await awaited
        except TimeoutError:
            raise LocalError(f"Waited in vain for {what}.", "See `jackfield logs`.") from None
