"""What recorded exchanges let one expect of an action."""

import json
from typing import cast

import jsonschema
from pydantic import JsonValue

from jackfield_certification.emulator import Call, Recording
from jackfield_certification.emulator.matching import bracketed
from jackfield_certification.front_door import ActionResult
from jackfield_certification.suites.plan import CheckFailed, Trial
from jackfield_common.connector.manifest import ActionManifest


async def act_out(trial: Trial, recording: Recording) -> ActionResult:
    """Do a recorded exchange through the front door, and hold what arrives against the recording.

    Raises CheckFailed when a request is not the recorded one, when one is missing or too many, or when
    the result is not what the recorded answer means.
    """
    twin = await trial.twins.ready(trial.auth(recording.auth), recording.config)
    mark = trial.vendor.calls.mark
    trial.vendor.expect(recording)
    try:
        if recording.action == trial.manifest.test:
            result = await trial.front_door.test(twin.integration_id)
        else:
            result = await trial.front_door.act(
                twin.integration_id, recording.action, recording.input
            )
    finally:
        trial.vendor.expect(None)
    calls = trial.calls_since(mark)
    hold_against(calls, recording)
    return result


def hold_against(calls: tuple[Call, ...], recording: Recording) -> None:
    """Raise CheckFailed unless the calls are exactly the steps of the recording."""
    strangers = [call for call in calls if call.recording is None and call.action is None]
    if strangers:
        call = strangers[0].request
        raise CheckFailed(f"{call.method} {call.path} is no route of the vendor")
    for call in calls:
        if call.differences:
            raise CheckFailed(
                f"the request is not as recorded in {recording.name!r}: "
                + "; ".join(call.differences[:5])
            )
    if len(calls) != len(recording.steps):
        raise CheckFailed(
            f"{len(calls)} requests reached the vendor, recorded are {len(recording.steps)}"
        )
    for number, call in enumerate(calls):
        if call.sign_in is None:
            raise CheckFailed(f"request {number + 1} carries no credential that the vendor knows")


def expect_output(trial: Trial, recording: Recording, result: ActionResult) -> None:
    """Raise CheckFailed unless the result is a success with the recorded output."""
    if not result.success:
        raise CheckFailed(f"the action failed ({result.error}): {result.message}")
    action = trial.manifest.action(recording.action)
    assert action is not None
    fits_schema(action, result.data)
    if recording.result is not None:
        expected = trial.vendor.as_answered(recording.result, recording)
        if result.data != expected:
            raise CheckFailed(
                "the result is not the recorded one: " + difference(expected, result.data)
            )


def fits_schema(action: ActionManifest, data: JsonValue) -> None:
    """Raise CheckFailed unless the data fit the action's declared output."""
    validator = jsonschema.Draft202012Validator(action.output)
    for error in validator.iter_errors(data):  # pyright: ignore[reportUnknownMemberType] - untyped
        where = ".".join(str(part) for part in error.absolute_path) or "the whole"
        raise CheckFailed(f"the result does not fit the declared output: {where}: {error.message}")


def difference(expected: JsonValue, found: JsonValue) -> str:
    """Where two documents differ first, in words."""
    wanted = dict(bracketed("", cast(JsonValue, {"data": expected})))
    given = dict(bracketed("", cast(JsonValue, {"data": found})))
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            return f"{name} is {_short(given.get(name))}, recorded {_short(wanted.get(name))}"
    return f"{_short(found)}, recorded {_short(expected)}"


def _short(value: JsonValue) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:99] + "…"
