"""Suite "webhook functionality": parsing, processing, verification, duplicates, order, what is malformed."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial

from jackfield_certification.suites.deliveries import (
    ACCEPTED,
    Mailbox,
    mailbox,
    why_no_webhooks,
    with_member,
)
from jackfield_certification.suites.plan import CheckFailed, PlannedCheck, Trial
from jackfield_certification.suites.probe import Probe, safe_probe, text_probe
from jackfield_common.connector.manifest import Manifest, WebhookSample
from jackfield_common.events.message import JsonObject

SUITE = "webhook_functionality"

_ORDERED = 12
_ACTION_SECONDS = 20.0
_QUIET = 0.5
_OVERSIZED = 25 * 1024 * 1024 + 64 * 1024

SampleCheck = Callable[[Trial, WebhookSample], Awaitable[str]]


def checks(manifest: Manifest) -> Iterator[PlannedCheck]:
    """The checks of this suite for one connector."""
    none = why_no_webhooks(manifest)
    samples = manifest.samples
    if none is None and not samples:
        yield _check("every_event_sampled", 3, "Each declared event is parsed.", _no_samples)
        return
    for sample in samples if none is None else ():
        yield PlannedCheck(
            SUITE,
            f"parse:{sample.name}",
            1,
            "What the vendor sends is understood as what it is.",
            partial(_parse, sample=sample),
            against="specification" if "https://" in sample.source else "emulator",
        )
    yield _check(
        "every_event_sampled",
        1,
        "An event that is declared and was never seen may not parse.",
        _every_event_sampled,
        none,
    )
    sample = _json_sample(samples)
    no_json = none or (None if sample is not None else "no sample has a JSON object as its body")
    first: WebhookSample | None = samples[0] if samples else None
    ordering = manifest.webhook.ordering if manifest.webhook is not None else None
    duplicates = manifest.webhook.delivery_id if manifest.webhook is not None else None
    text = text_probe(manifest)
    for name, weight, reason, run, given, inapplicable in (
        (
            "processing",
            2,
            "An event leads to the action that its route names, once.",
            _processing,
            first,
            none,
        ),
        (
            "verification",
            2,
            "Only the vendor's own deliveries come in, and those do.",
            _verification,
            first,
            none,
        ),
        (
            "duplicates",
            2,
            "A delivery that comes twice has its effect once.",
            _duplicates,
            first,
            none or (None if duplicates else "the vendor gives its deliveries no id"),
        ),
        (
            "ordering",
            1,
            "Events of one subject take effect in the order of their arrival.",
            _ordering,
            sample,
            no_json
            or (None if ordering else "the connector declares no order")
            or (None if text else "no recorded action takes a text to tell events apart by"),
        ),
        (
            "malformed",
            1,
            "A body that is not what it says it is becomes a failure with a reason, not an event.",
            _malformed,
            sample,
            no_json,
        ),
        (
            "oversized",
            1,
            "A body beyond the limit is refused before it costs anything.",
            _oversized,
            first,
            none,
        ),
    ):
        assert given is not None or inapplicable is not None
        run_sample: Callable[[Trial], Awaitable[str]] = (
            partial(run, sample=given) if given is not None else _never
        )
        yield _check(name, weight, reason, run_sample, inapplicable)


def _check(
    name: str,
    weight: float,
    reason: str,
    run: Callable[[Trial], Awaitable[str]],
    inapplicable: str | None = None,
) -> PlannedCheck:
    return PlannedCheck(SUITE, name, weight, reason, run, inapplicable=inapplicable)


def _json_sample(samples: tuple[WebhookSample, ...]) -> WebhookSample | None:
    return next((one for one in samples if one.body.lstrip().startswith("{")), None)


async def _never(trial: Trial) -> str:
    raise AssertionError("a check that does not apply is not run")


async def _no_samples(trial: Trial) -> str:
    raise CheckFailed("there is no sample of any webhook: nothing says what the vendor sends")


async def _parse(trial: Trial, *, sample: WebhookSample) -> str:
    trial.evidence.add("sample", name=sample.name, source=sample.source)
    box = await mailbox(trial, sample)
    event = await box.outcome(await box.send(box.compose(sample)))
    if event.status != "processed":
        raise CheckFailed(f"it ends as {event.status}: {event.reason}")
    if event.event_type != sample.event_type:
        raise CheckFailed(
            f"it is understood as {event.event_type!r}, recorded as {sample.event_type!r}"
        )
    return f"understood as {event.event_type}"


async def _every_event_sampled(trial: Trial) -> str:
    webhook = trial.manifest.webhook
    assert webhook is not None
    seen = [sample.event_type for sample in trial.manifest.samples]
    missing = [name for name in webhook.events if not any(_covers(name, one) for one in seen)]
    trial.evidence.add("events", declared=list(webhook.events), sampled=list(seen))
    if missing:
        raise CheckFailed(
            f"{len(missing)} of {len(webhook.events)} declared events have no sample: "
            + ", ".join(missing[:8])
        )
    return f"all {len(webhook.events)} declared events have a sample"


def _covers(declared: str, seen: str) -> bool:
    parent = declared.removesuffix(".*")
    return declared == "*" or seen == parent or seen.startswith(parent + ".")


async def _route(box: Mailbox, probe: Probe, target: JsonObject) -> str:
    return await box.trial.front_door.add_route(
        {
            "name": box.twin.name,
            "source": box.twin.integration_id,
            "events": ["*"],
            "target": {
                "integration_id": box.twin.integration_id,
                "action": probe.action.name,
                **target,
            },
        }
    )


async def _processing(trial: Trial, *, sample: WebhookSample) -> str:
    box = await mailbox(trial, sample)
    probe = safe_probe(trial.manifest)
    route = await _route(box, probe, {"input": dict(probe.given)})
    try:
        trial.vendor.expect(probe.recording)
        matched = await _until_matched(box, sample)
        mark = trial.vendor.calls.mark
        event = await box.outcome(await box.send(box.compose(sample)))
        if not event.actions:
            raise CheckFailed(f"the event ends as {event.status} and asks for no action")
        await trial.vendor.calls.wait_for(1, mark, _ACTION_SECONDS)
        await trial.vendor.calls.wait_for(2, mark, _QUIET)
        calls = trial.calls_since(mark)
    finally:
        await trial.front_door.remove_route(route)
    if len(calls) != 1 or calls[0].action != probe.action.name:
        raise CheckFailed(
            f"one event routed to {probe.action.name} became {len(calls)} calls of the vendor"
        )
    return f"one delivery, one call of {probe.action.name} (after {matched} to get the route known)"


async def _until_matched(box: Mailbox, sample: WebhookSample) -> int:
    """Send until the route is known to the router, and its actions are done; returns how many."""
    for sent in range(1, 40):
        mark = box.trial.vendor.calls.mark
        event = await box.outcome(await box.send(box.compose(sample)))
        if event.actions:
            await box.trial.vendor.calls.wait_for(1, mark, _ACTION_SECONDS)
            return sent
    raise CheckFailed("the route is never matched by an event of its source")


async def _verification(trial: Trial, *, sample: WebhookSample) -> str:
    box = await mailbox(trial, sample)
    unsigned = await box.post(box.compose(sample))
    if unsigned.status in ACCEPTED:
        raise CheckFailed("a delivery without any proof is accepted")
    # A second secret, as during a rotation: both must hold.
    rotated = trial.twins.signer(box.twin.config)
    assert rotated is not None
    trial.evidence.hide(rotated.fields.values())
    foreign = await replace(box, signer=rotated).send(box.compose(sample))
    if foreign.status in ACCEPTED:
        raise CheckFailed("a delivery signed with a secret that was never given is accepted")
    await trial.front_door.configure(box.twin.integration_id, credentials=dict(rotated.fields))
    await replace(box, signer=rotated).opened(sample)
    earlier = await box.send(box.compose(sample))
    if earlier.status not in ACCEPTED:
        raise CheckFailed(
            f"during a rotation the earlier secret does not hold any more: {earlier.status}"
        )
    return "no proof and a foreign secret are refused; both secrets hold during a rotation"


async def _duplicates(trial: Trial, *, sample: WebhookSample) -> str:
    box = await mailbox(trial, sample)
    probe = safe_probe(trial.manifest)
    route = await _route(box, probe, {"input": dict(probe.given)})
    try:
        trial.vendor.expect(probe.recording)
        await _until_matched(box, sample)
        mark = trial.vendor.calls.mark
        outgoing = box.compose(sample)
        first = await box.outcome(await box.send(outgoing))
        again = await box.outcome(await box.send(outgoing))
        await trial.vendor.calls.wait_for(1, mark, _ACTION_SECONDS)
        await trial.vendor.calls.wait_for(2, mark, _QUIET)
        calls = trial.calls_since(mark)
    finally:
        await trial.front_door.remove_route(route)
    if first.status != "processed":
        raise CheckFailed(f"the first delivery ends as {first.status}: {first.reason}")
    if again.status != "duplicate":
        raise CheckFailed(f"the same delivery a second time ends as {again.status}")
    if len(calls) != 1:
        raise CheckFailed(f"one delivery, sent twice, became {len(calls)} calls of the vendor")
    return "acknowledged twice, done once"


async def _ordering(trial: Trial, *, sample: WebhookSample) -> str:
    found = text_probe(trial.manifest)
    assert found is not None
    probe, field = found
    box = await mailbox(trial, sample)
    # The route's actions go to the same twin, whose credential may be of another kind than recorded.
    target = box.twin
    if probe.auth.kind != target.auth.kind:
        target = await trial.twins.fresh(probe.auth, probe.config)
    route = await trial.front_door.add_route(
        {
            "name": box.twin.name,
            "source": box.twin.integration_id,
            "events": ["*"],
            "target": {
                "integration_id": target.integration_id,
                "action": probe.action.name,
                "input": dict(probe.given),
                "transform": f'{{"{field}": data.certification}}',
            },
        }
    )
    try:
        await _until_marked(box, sample)
        mark = trial.vendor.calls.mark
        for number in range(_ORDERED):
            marked = with_member(box.compose(sample), "certification", f"mark{number:03d}")
            delivered = await box.send(marked)
            if delivered.status not in ACCEPTED:
                raise CheckFailed(f"delivery {number + 1} is refused: {delivered.status}")
        await trial.vendor.calls.wait_for(_ORDERED, mark, _ACTION_SECONDS)
        calls = trial.vendor.calls.since(mark)
    finally:
        await trial.front_door.remove_route(route)
    texts = [f"{c.request.path} {c.request.query} {c.request.body.decode()}" for c in calls]
    seen = [number for text in texts for number in range(_ORDERED) if f"mark{number:03d}" in text]
    trial.evidence.add("order", sent=_ORDERED, arrived=list(seen))
    if seen != list(range(_ORDERED)):
        raise CheckFailed(f"{_ORDERED} events were sent in order, at the vendor arrived {seen}")
    return f"{_ORDERED} events of one subject arrived in order"


async def _until_marked(box: Mailbox, sample: WebhookSample) -> None:
    for _ in range(40):
        mark = box.trial.vendor.calls.mark
        marked = with_member(box.compose(sample), "certification", "first")
        event = await box.outcome(await box.send(marked))
        if event.actions:
            await box.trial.vendor.calls.wait_for(1, mark, _ACTION_SECONDS)
            return
    raise CheckFailed("the route is never matched by an event of its source")


async def _malformed(trial: Trial, *, sample: WebhookSample) -> str:
    box = await mailbox(trial, sample)
    broken = replace(box.compose(sample), body=sample.body.encode()[:-1] + b',"')
    delivered = await box.send(broken)
    if 400 <= delivered.status < 500:
        return f"refused: {delivered.status}"
    event = await box.outcome(delivered)
    if event.status != "failed" or not event.reason:
        raise CheckFailed(f"a body that is not JSON ends as {event.status} ({event.reason})")
    following = await box.outcome(await box.send(box.compose(sample)))
    if following.status != "processed":
        raise CheckFailed(f"a good delivery after it ends as {following.status}")
    return f"ends as failed: {event.reason}"


async def _oversized(trial: Trial, *, sample: WebhookSample) -> str:
    box = await mailbox(trial, sample)
    delivered = await box.send(replace(box.compose(sample), body=b" " * _OVERSIZED))
    if delivered.status != 413:
        raise CheckFailed(f"{_OVERSIZED} bytes are answered {delivered.status}, expected is 413")
    following = await box.send(box.compose(sample))
    if following.status not in ACCEPTED:
        raise CheckFailed(f"a delivery after it is refused: {following.status}")
    return "413, and the next delivery is accepted"
