"""Suite "basic functionality": initialise, sign in, test the connection, do every action."""

from collections.abc import Iterator
from functools import partial

from jackfield_certification.emulator import Recording
from jackfield_certification.emulator.recording import read_recording
from jackfield_certification.emulator.synthesis import example_of
from jackfield_certification.front_door import FrontDoorRefused
from jackfield_certification.suites.expectations import act_out, expect_output, fits_schema
from jackfield_certification.suites.plan import CheckFailed, PlannedCheck, Trial
from jackfield_certification.twin import sign_ins
from jackfield_common.connector.auth import Auth, NoAuth
from jackfield_common.connector.manifest import ActionManifest, Manifest
from jackfield_common.errors import ErrorKind

SUITE = "basic_functionality"


def checks(manifest: Manifest) -> Iterator[PlannedCheck]:
    """The checks of this suite for one connector. Raises RecordingError."""
    yield PlannedCheck(
        SUITE,
        "initialise",
        2,
        "An installation starts with what its owner needs to finish it.",
        _initialise,
    )
    for auth in sign_ins(manifest):
        no_sign_in = "the vendor has no sign-in" if isinstance(auth, NoAuth) else None
        yield PlannedCheck(
            SUITE,
            f"sign_in_missing:{auth.kind}",
            1,
            "Without a credential nothing is done in anybody's name.",
            partial(_refused_without_credential, auth=auth),
            inapplicable=no_sign_in,
        )
        yield PlannedCheck(
            SUITE,
            f"sign_in_accepted:{auth.kind}",
            2,
            "The credential arrives at the vendor where the vendor looks for it.",
            partial(_accepted, auth=auth),
            inapplicable=no_sign_in,
        )
        yield PlannedCheck(
            SUITE,
            f"sign_in_refused:{auth.kind}",
            2,
            "A credential that the vendor refuses is reported as that, not as a success.",
            partial(_refused, auth=auth),
            inapplicable=no_sign_in,
        )
    recordings = [read_recording(one, manifest) for one in manifest.exchanges]
    for action in manifest.actions:
        yield _action_check(action, manifest, [r for r in recordings if r.action == action.name])


def _action_check(
    action: ActionManifest, manifest: Manifest, recordings: list[Recording]
) -> PlannedCheck:
    is_test = action.name == manifest.test
    name = "test_connection" if is_test else f"action:{action.name}"
    weight = 2 if is_test else 1
    successes = [one for one in recordings if one.succeeds]
    if successes:
        return PlannedCheck(
            SUITE,
            name,
            weight,
            "The vendor gets the request that it documents, and its answer is understood.",
            partial(_as_recorded, recordings=successes),
            against="specification" if all(one.documented for one in successes) else "emulator",
        )
    return PlannedCheck(
        SUITE,
        name,
        weight,
        "The action works by its own declaration; no recording says what the vendor expects.",
        partial(_as_declared, action=action),
    )


async def _initialise(trial: Trial) -> str:
    auth = sign_ins(trial.manifest)[0]
    try:
        twin = await trial.twins.bare(auth, trial.test_settings(auth.kind))
        seen = await trial.front_door.installed(twin.integration_id)
    except FrontDoorRefused as refused:
        raise CheckFailed(f"it cannot be installed: {refused}") from None
    if seen.connector != trial.manifest.slug:
        raise CheckFailed(f"installed is the connector {seen.connector!r}")
    if seen.config.get("base_url") != twin.config["base_url"]:
        raise CheckFailed("the installation does not keep the settings it was given")
    asked = {one.name for one in seen.missing_fields if one.used_for != "webhook"}
    wanted = {one.name for one in auth.fields if one.required}
    if asked != wanted:
        raise CheckFailed(
            f"it asks for the fields {sorted(asked)}, the connector declares {sorted(wanted)}"
        )
    if trial.manifest.webhook is not None and not seen.webhook_url:
        raise CheckFailed("the connector has webhooks, and no webhook address is given")
    return "installed; it says which fields are missing" + (
        " and where webhooks go" if seen.webhook_url else ""
    )


async def _refused_without_credential(trial: Trial, *, auth: Auth) -> str:
    twin = await trial.twins.bare(auth, trial.test_settings(auth.kind))
    mark = trial.vendor.calls.mark
    try:
        result = await trial.front_door.test(twin.integration_id)
    except FrontDoorRefused as refused:
        if refused.status >= 500:
            raise CheckFailed(f"the API fails instead of refusing: {refused}") from None
        answer = f"the API refuses: {refused.status}"
    else:
        if result.success:
            raise CheckFailed("the connection test succeeds without any credential")
        answer = f"the result is a failure ({result.error})"
    if any(call.sign_in for call in trial.calls_since(mark)):
        raise CheckFailed("a call signed in although no credential was given")
    return answer


async def _accepted(trial: Trial, *, auth: Auth) -> str:
    twin = await trial.twins.ready(auth, trial.test_settings(auth.kind))
    mark = trial.vendor.calls.mark
    result = await trial.front_door.test(twin.integration_id)
    calls = trial.calls_since(mark)
    if not result.success:
        raise CheckFailed(f"the connection test failed ({result.error}): {result.message}")
    if not calls:
        raise CheckFailed("the connection test succeeded and nothing reached the vendor")
    if any(call.sign_in != auth.kind for call in calls):
        raise CheckFailed(f"a call does not carry the {auth.kind} credential where it belongs")
    return f"{len(calls)} call(s) carry the credential"


async def _refused(trial: Trial, *, auth: Auth) -> str:
    twin = await trial.twins.ready(auth, trial.test_settings(auth.kind))
    assert twin.credential is not None
    mark = trial.vendor.calls.mark
    trial.vendor.door.expel(auth.kind)
    try:
        result = await trial.front_door.test(twin.integration_id)
    finally:
        trial.vendor.door.admit(twin.credential)
    if not trial.calls_since(mark):
        raise CheckFailed("nothing reached the vendor, so nothing was refused")
    if result.success:
        raise CheckFailed("the vendor refused the credential, and the result is a success")
    if result.error is not ErrorKind.AUTH:
        raise CheckFailed(f"the error is {result.error}, not auth: {result.message}")
    return "the refusal is reported as an error of the sign-in"


async def _as_recorded(trial: Trial, *, recordings: list[Recording]) -> str:
    for recording in recordings:
        trial.evidence.add("recording", name=recording.name, source=recording.source)
        expect_output(trial, recording, await act_out(trial, recording))
    return f"{len(recordings)} recorded exchange(s), requests and results as recorded"


async def _as_declared(trial: Trial, *, action: ActionManifest) -> str:
    if action.http is None and not action.http_by_auth:
        raise CheckFailed("nothing is recorded of it, and as code it declares no request")
    kinds = [auth.kind for auth in sign_ins(trial.manifest)]
    kind = next((kind for kind in kinds if not action.auth or kind in action.auth), kinds[0])
    twin = await trial.twins.ready(trial.auth(kind))
    given = example_of(action.input)
    mark = trial.vendor.calls.mark
    if action.name == trial.manifest.test:
        result = await trial.front_door.test(twin.integration_id)
    else:
        result = await trial.front_door.act(
            twin.integration_id, action.name, given if isinstance(given, dict) else {}
        )
    calls = trial.calls_since(mark)
    if not result.success:
        raise CheckFailed(f"the action failed ({result.error}): {result.message}")
    if not any(call.action == action.name for call in calls):
        raise CheckFailed("no request reached the vendor on the declared route")
    fits_schema(action, result.data)
    return "the declared request arrives and an answer of the declared shape is understood"
