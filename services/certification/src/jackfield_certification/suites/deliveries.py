"""Webhooks as the vendor would send them, to a twin of one check's own."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from jackfield_certification.front_door import Delivered, ProcessedEvent
from jackfield_certification.signing import Outgoing, Signer, Unsignable, signer_for
from jackfield_certification.suites.plan import CheckFailed, Trial
from jackfield_certification.suites.probe import safe_probe
from jackfield_certification.twin import Twin
from jackfield_common.connector.manifest import Manifest, WebhookSample
from jackfield_common.connector.selector import compile_selector

_ACCEPTED_SECONDS = 15.0
ACCEPTED = frozenset({200, 202})


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The webhook address of one twin, and the vendor's way to sign for it."""

    trial: Trial
    twin: Twin
    signer: Signer
    address: str

    def compose(self, sample: WebhookSample, *, body: bytes | None = None) -> Outgoing:
        """A sample with a delivery id of its own, unsigned."""
        outgoing = Outgoing(self.address, dict(sample.headers), body or sample.body.encode())
        for place in self.signer.proof:
            if place.startswith("header:"):
                outgoing = outgoing.with_header(place.removeprefix("header:"), None)
        return self.numbered(outgoing, secrets.token_hex(16))

    def numbered(self, outgoing: Outgoing, delivery_id: str) -> Outgoing:
        """With this as the vendor's id of the delivery, where the connector says where that stands."""
        webhook = self.trial.manifest.webhook
        assert webhook is not None
        if webhook.delivery_id is None:
            return outgoing
        terms = [one for one in compile_selector(webhook.delivery_id).terms]
        # Of several terms the last is the most particular one.
        places = [one for one in terms if one.where != "literal"]
        if not places or (places[-1].where == "body" and outgoing.document() is None):
            return outgoing
        return outgoing.put(f"{places[-1].where}:{places[-1].name}", delivery_id)

    async def send(self, outgoing: Outgoing, *, at: float | None = None) -> Delivered:
        """Sign and send."""
        signed = self.signer.sign(outgoing, time.time() if at is None else at)
        return await self.post(signed)

    async def post(self, outgoing: Outgoing) -> Delivered:
        """Send as it is."""
        return await self.trial.front_door.deliver(outgoing.url, outgoing.body, outgoing.headers)

    async def outcome(self, delivered: Delivered, *, seconds: float = 20) -> ProcessedEvent:
        """What became of an accepted delivery. Raises CheckFailed when it was refused or lost."""
        if delivered.status not in ACCEPTED:
            raise CheckFailed(f"the delivery is refused: {delivered.status} {delivered.body[:200]}")
        if delivered.event_id is None:
            raise CheckFailed("the delivery is accepted without an event id")
        event = await self.trial.front_door.event(delivered.event_id, seconds=seconds)
        if event is None:
            raise CheckFailed(f"the delivery was accepted and is not processed in {seconds:g} s")
        return event

    async def opened(self, sample: WebhookSample) -> None:
        """Wait until the listener knows this twin and its secret. Raises CheckFailed."""
        deadline = time.monotonic() + _ACCEPTED_SECONDS
        while True:
            delivered = await self.send(self.compose(sample))
            if delivered.status in ACCEPTED:
                return
            if time.monotonic() > deadline:
                raise CheckFailed(
                    f"a delivery signed as declared is refused: {delivered.status}"
                    f" {delivered.body[:200]}"
                )
            await asyncio.sleep(0.1)


async def mailbox(trial: Trial, sample: WebhookSample) -> Mailbox:
    """The mailbox of a twin of its own, open. Raises CheckFailed."""
    probe = safe_probe(trial.manifest)
    twin = await trial.twins.fresh(probe.auth, probe.config)
    assert twin.signer is not None
    if not twin.installed.webhook_url:
        raise CheckFailed("the installation has no webhook address")
    opened = Mailbox(trial, twin, twin.signer, twin.installed.webhook_url)
    await opened.opened(sample)
    return opened


def with_member(outgoing: Outgoing, name: str, value: JsonValue) -> Outgoing:
    """With one more member in the JSON object that is the body."""
    document = outgoing.document()
    assert isinstance(document, dict)
    return replace(outgoing, body=json.dumps({**document, name: value}).encode())


def why_no_webhooks(
    manifest: Manifest, config: Mapping[str, JsonValue] | None = None
) -> str | None:
    """Why the webhooks of a connector cannot be tried; None when they can."""
    if manifest.webhook is None:
        return "the connector has no webhooks"
    try:
        signer_for(manifest.webhook.verify, config or {})
    except Unsignable as error:
        return f"no webhook can be signed in the vendor's name: {error}"
    return None
