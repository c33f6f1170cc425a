"""Suite "security": secrets, signatures, encryption, who may do what, where calls may go."""

import asyncio
import json
import secrets as random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import cast

from pydantic import JsonValue

from jackfield_certification.emulator import VendorEmulator
from jackfield_certification.emulator.faults import Status
from jackfield_certification.emulator.refusals import refusal
from jackfield_certification.front_door import FrontDoorRefused
from jackfield_certification.signing import Outgoing, Signer
from jackfield_certification.suites.deliveries import (
    ACCEPTED,
    Mailbox,
    mailbox,
    why_no_webhooks,
)
from jackfield_certification.suites.plan import CheckFailed, PlannedCheck, Trial
from jackfield_certification.suites.probe import Probe, safe_probe
from jackfield_common.connector.auth import NoAuth, SecretUrl
from jackfield_common.connector.manifest import Manifest
from jackfield_common.connector.selector import as_text
from jackfield_common.errors import ErrorKind

SUITE = "security"

_FORBIDDEN_TARGETS = (
    "https://169.254.169.254/latest/meta-data",
    "https://[fd00:ec2::254]/",
    "https://10.255.255.1/",
)
_PLAIN = "http://203.0.113.10/"  # TEST-NET-3 (RFC 5737): nobody's
_SOON = 0.2


def checks(manifest: Manifest) -> Iterator[PlannedCheck]:
    """The checks of this suite for one connector."""
    probe = safe_probe(manifest)
    no_secret = "the vendor has no sign-in" if isinstance(probe.auth, NoAuth) else None
    yield PlannedCheck(
        SUITE,
        "credential_security",
        3,
        "A secret is typed in once and never shown again, whatever the vendor answers.",
        partial(_credential, probe=probe),
        inapplicable=no_secret,
    )
    yield PlannedCheck(
        SUITE,
        "redirects",
        2,
        "A credential does not follow a redirect to another host.",
        partial(_redirect, probe=probe),
        inapplicable=no_secret,
    )
    none = why_no_webhooks(manifest)
    sampled = none or (None if manifest.samples else "no sample of a webhook to forge")
    yield PlannedCheck(
        SUITE,
        "webhook_signature_verification",
        3,
        "Nothing that the vendor did not sign comes in.",
        _forgeries,
        inapplicable=sampled,
    )
    yield PlannedCheck(
        SUITE,
        "data_encryption",
        2,
        "Nothing goes out in the clear to a network that the operator did not name.",
        partial(_encryption, probe=probe),
        inapplicable=(
            "the address is the secret, and has no setting beside it"
            if isinstance(probe.auth, SecretUrl)
            else None
        ),
    )
    yield PlannedCheck(
        SUITE,
        "request_forgery",
        2,
        "An integration does not reach into private networks.",
        partial(_private_targets, probe=probe),
        inapplicable=(
            "the address is the secret, and has no setting beside it"
            if isinstance(probe.auth, SecretUrl)
            else None
        ),
    )
    yield PlannedCheck(
        SUITE,
        "access_controls",
        2,
        "Strangers see and change nothing.",
        partial(_strangers, probe=probe),
    )
    yield PlannedCheck(
        SUITE,
        "least_privilege",
        1,
        "A key that may read may not act.",
        partial(_least_privilege, probe=probe),
    )


async def _credential(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    assert twin.credential is not None
    canaries = (*twin.credential.secrets, *(twin.signer.fields.values() if twin.signer else ()))
    path = f"/api/marketplace/installed/{twin.integration_id}"
    shown: list[tuple[str, JsonValue]] = []
    # A vendor that repeats the credential in its refusal, as some do.
    echo = " ".join(twin.credential.secrets)
    trial.vendor.faults.plan(_echoing(trial.manifest, echo))
    result = await probe.call(trial, twin, wait=5)
    shown.append(("the result of a refused call", result.model_dump(mode="json")))
    trial.vendor.faults.clear()
    result = await probe.call(trial, twin)
    shown.append(("the result of a call", result.model_dump(mode="json")))
    for read in (
        path,
        "/api/marketplace/installed?limit=100",
        f"{_health_path(twin.integration_id)}",
    ):
        shown.append((read, await trial.front_door.get(read)))
    for place, document in shown:
        text = json.dumps(document)
        for canary in canaries:
            if canary in text:
                raise CheckFailed(f"{place} holds a secret of the integration")
    return f"none of {len(canaries)} secrets in {len(shown)} answers of the API"


def _health_path(integration_id: str) -> str:
    return f"/api/integrations/{integration_id}/health"


def _echoing(manifest: Manifest, text: str) -> Status:
    """A refusal whose explanation holds a text, where the vendor puts its explanations."""
    plain = refusal(manifest, ErrorKind.INVALID)
    body: dict[str, JsonValue] = dict(plain.body) if isinstance(plain.body, dict) else {}
    said = f"the credential {text} may not do this"
    for path in manifest.error_message or ("message",):
        place = body
        *parents, last = path.split(".")
        for name in parents:
            inner = place.setdefault(name, {})
            place = cast(dict[str, JsonValue], inner) if isinstance(inner, dict) else {}
        place.setdefault(last, said)
    return replace(plain, body=body)


@asynccontextmanager
async def _elsewhere(manifest: Manifest) -> AsyncGenerator[VendorEmulator]:
    other = VendorEmulator(manifest)
    other.door.open = True
    async with other:
        yield other


async def _redirect(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    assert twin.credential is not None
    async with _elsewhere(trial.manifest) as other:
        target = other.address + "/elsewhere"
        for status in (302, 307):
            trial.vendor.faults.clear()
            trial.vendor.faults.plan(Status(status, headers=(("Location", target),)))
            await probe.call(trial, twin, wait=2)
        arrived = other.calls.since()
    for call in arrived:
        request = call.request
        text = " ".join(
            (request.path, *(v for _, v in request.query), *request.headers.values())
        ) + request.body.decode("utf-8", "replace")
        if any(secret in text for secret in twin.credential.secrets) or (
            "authorization" in request.headers
        ):
            raise CheckFailed("the credential was sent to the host that a redirect named")
    return f"two redirects to another host, {len(arrived)} call(s) there, none with the credential"


async def _forgeries(trial: Trial) -> str:
    sample = trial.manifest.samples[0]
    box = await mailbox(trial, sample)
    refused = 0
    for name, forged in _forged(box, box.compose(sample)):
        delivered = await box.post(forged)
        trial.evidence.add("forgery", forgery=name, status=delivered.status)
        if delivered.status in ACCEPTED:
            raise CheckFailed(f"accepted although {name}")
        if delivered.status >= 500:
            raise CheckFailed(f"answered {delivered.status} when {name}")
        refused += 1
    good = await box.send(box.compose(sample))
    if good.status not in ACCEPTED:
        raise CheckFailed(f"a good delivery after the forgeries is refused: {good.status}")
    return f"{refused} forgeries refused, a good delivery accepted"


def _forged(box: Mailbox, outgoing: Outgoing) -> Iterator[tuple[str, Outgoing]]:
    now = time.time()
    signer = box.signer
    signed = signer.sign(outgoing, now)
    stranger = box.trial.twins.signer(box.twin.config)
    assert stranger is not None
    yield "the proof is missing", outgoing
    yield "the proof was made with another secret", stranger.sign(outgoing, now)
    for place in signer.proof:
        value = signed.at(place)
        if value is None:
            continue
        yield f"{place} is empty", signed.put(place, "")
        yield f"{place} is cut short", signed.put(place, value[: len(value) // 2])
        yield f"a character of {place} is changed", signed.put(place, _changed(value))
    if _covers_body(signer, outgoing, now):
        other = replace(signed, body=signed.body[:-1] + b" " + signed.body[-1:])
        yield "the body was changed after it was signed", other
    if signer.window is not None:
        for moment, when in (
            (now - signer.window - 60, "too old"),
            (now + signer.window + 600, "of the future"),
        ):
            yield f"the proof is {when}", signer.sign(outgoing, moment)


def _covers_body(signer: Signer, outgoing: Outgoing, now: float) -> bool:
    """Whether the proof speaks of the body: a shared token does not."""
    other = replace(outgoing, body=outgoing.body + b" ")
    return any(
        signer.sign(outgoing, now).at(place) != signer.sign(other, now).at(place)
        for place in signer.proof
        if place.startswith(("header:", "query:"))
    )


def _changed(value: str) -> str:
    # Not the last character: in base64 its lowest bits may carry nothing.
    index = max(0, len(value) - 8)
    return value[:index] + ("A" if value[index] != "A" else "B") + value[index + 1 :]


async def _encryption(trial: Trial, *, probe: Probe) -> str:
    base = trial.manifest.base_url
    if base is not None and base.startswith("http://"):
        raise CheckFailed(f"the vendor is called in the clear: {base}")
    twin = await probe.twin(trial)
    answer = await _pointed_at(trial, probe, twin.integration_id, _PLAIN)
    return f"calls go out over TLS; a plain http address outside is answered: {answer}"


async def _private_targets(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    for target in _FORBIDDEN_TARGETS:
        await _pointed_at(trial, probe, twin.integration_id, target)
    return f"{len(_FORBIDDEN_TARGETS)} private addresses refused"


async def _pointed_at(trial: Trial, probe: Probe, integration_id: str, target: str) -> str:
    """Point a twin at an address, and see that it is not called. Raises CheckFailed."""
    try:
        await trial.front_door.configure(integration_id, config={"base_url": target})
    except FrontDoorRefused as refused:
        if refused.status == 422:
            return "refused when it is typed in"
        raise
    started = time.monotonic()
    result = await trial.front_door.act(
        integration_id, probe.action.name, probe.given, wait=3, seconds=40
    )
    # Trying to connect would show as an unreachable host; a refusal is a statement about the input.
    if result.success or result.error is not ErrorKind.INVALID:
        raise CheckFailed(
            f"pointed at {target}, the result is {result.error or 'a success'}:"
            f" {as_text(result.message)}"
        )
    return f"refused when called, after {time.monotonic() - started:.1f} s"


async def _strangers(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    path = f"/api/marketplace/installed/{twin.integration_id}"
    asked = 0
    for key in (None, "jf_" + random.token_urlsafe(32)):
        for method, target in (
            ("GET", path),
            ("GET", "/api/marketplace/installed"),
            ("POST", f"{path}/test"),
            ("POST", f"{path}/actions/{probe.action.name}"),
            ("DELETE", path),
        ):
            status = await trial.front_door.status_without_key(method, target, key)
            asked += 1
            if status != 401:
                raise CheckFailed(f"{method} {target} without a good key is answered {status}")
    await trial.front_door.installed(twin.integration_id)
    unknown = await trial.front_door.deliver(
        f"https://any/webhooks/{random.token_hex(13)}", b"{}", {"Content-Type": "application/json"}
    )
    if unknown.status != 404:
        raise CheckFailed(f"a webhook for nobody is answered {unknown.status}, expected is 404")
    for target in ("/api/marketplace/installed", "/webhooks/stats", "/metrics"):
        seen = await trial.front_door.deliver(f"https://any{target}", b"", {}, method="GET")
        if seen.status not in (404, 405):
            raise CheckFailed(f"the webhook listener answers {target} with {seen.status}")
    return f"{asked} requests of strangers refused; the webhook listener shows nothing else"


async def _least_privilege(trial: Trial, *, probe: Probe) -> str:
    twin = await probe.twin(trial)
    key_id, key = await trial.front_door.add_key(twin.name, ("read_api",))
    trial.evidence.hide((key,))
    try:
        path = f"/api/marketplace/installed/{twin.integration_id}"
        for method, target, expected in (
            ("GET", path, 200),
            ("POST", f"{path}/test", 403),
            ("DELETE", path, 403),
        ):
            status = await trial.front_door.status_without_key(method, target, key)
            if status != expected:
                raise CheckFailed(
                    f"{method} {target} with a key that may read is answered {status},"
                    f" expected is {expected}"
                )
    finally:
        await trial.front_door.remove_key(key_id)
    deadline = time.monotonic() + 5
    while await trial.front_door.status_without_key("GET", path, key) != 401:
        if time.monotonic() > deadline:
            raise CheckFailed("a revoked key still opens")
        await asyncio.sleep(_SOON)
    return "it reads, it does not act, and it ends when it is revoked"
