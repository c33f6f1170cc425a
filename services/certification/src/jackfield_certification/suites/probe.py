"""What suites call to see how an integration copes: actions that a vendor can be made to fail."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from jackfield_certification.emulator import Recording
from jackfield_certification.emulator.recording import read_recording
from jackfield_certification.front_door import ActionResult
from jackfield_certification.suites.plan import Trial
from jackfield_certification.twin import Twin, sign_ins
from jackfield_common.connector.auth import Auth, NoAuth, OAuth2, SecretUrl
from jackfield_common.connector.manifest import ActionManifest, Manifest
from jackfield_common.connector.repeat import Repeat


@dataclass(frozen=True, slots=True)
class Probe:
    """An action with an input that a healthy vendor answers with success."""

    action: ActionManifest
    auth: Auth
    given: Mapping[str, JsonValue]
    config: Mapping[str, JsonValue]
    recording: Recording | None

    async def twin(self, trial: Trial) -> Twin:
        """A twin of this check's own, signed in."""
        return await trial.twins.fresh(self.auth, self.config)

    async def call(
        self, trial: Trial, twin: Twin, *, wait: float = 20, seconds: float = 60
    ) -> ActionResult:
        """Do it once."""
        trial.vendor.expect(self.recording)
        return await trial.front_door.act(
            twin.integration_id, self.action.name, self.given, wait=wait, seconds=seconds
        )


def safe_probe(manifest: Manifest) -> Probe:
    """An action that may be repeated: the connection test, which every connector has."""
    return _probe(manifest, manifest.test) or _declared(manifest)


def unsafe_probe(manifest: Manifest) -> Probe | None:
    """A recorded action of a single request that must not be repeated by itself; None without one."""
    for action in manifest.actions:
        if action.repeat is Repeat.UNSAFE:
            probe = _probe(manifest, action.name)
            if probe is not None and probe.recording and len(probe.recording.steps) == 1:
                return probe
    return None


def text_probe(manifest: Manifest) -> tuple[Probe, str] | None:
    """A recorded action and a field of its input that takes any text and reaches the vendor."""
    for action in manifest.actions:
        probe = _probe(manifest, action.name)
        if probe is None or action.name == manifest.test:
            continue
        properties = action.input.get("properties")
        if not isinstance(properties, dict):
            continue
        for name, schema in properties.items():
            if isinstance(probe.given.get(name), str) and _takes_any_text(schema):
                return probe, name
    return None


def _takes_any_text(schema: JsonValue) -> bool:
    if not isinstance(schema, dict):
        return False
    options = schema.get("anyOf")
    if isinstance(options, list):
        return any(_takes_any_text(one) for one in options)
    bounds = {"pattern", "enum", "format", "const", "minLength"}
    return schema.get("type") == "string" and not bounds & schema.keys()


def _probe(manifest: Manifest, name: str) -> Probe | None:
    action = manifest.action(name)
    assert action is not None, name
    known = [read_recording(one, manifest) for one in manifest.exchanges if one.action == name]
    # A token that is refreshed behind the scenes would blur what is seen: OAuth2 comes last.
    known.sort(key=lambda one: one.auth == "oauth2")
    for recording in known:
        if recording.succeeds:
            auth = next(auth for auth in manifest.auth if auth.kind == recording.auth)
            if isinstance(auth, NoAuth):
                auth = _with_secret(manifest, action) or auth
            return Probe(action, auth, recording.input, recording.config, recording)
    return None


def _with_secret(manifest: Manifest, action: ActionManifest) -> Auth | None:
    """A way to sign in beside "none" at the same address: with a secret more can be seen."""
    return next(
        (
            auth
            for auth in manifest.auth
            if not isinstance(auth, NoAuth | SecretUrl | OAuth2)
            and (not action.auth or auth.kind in action.auth)
        ),
        None,
    )


def _declared(manifest: Manifest) -> Probe:
    action = manifest.action(manifest.test)
    assert action is not None, manifest.test
    allowed = [auth for auth in sign_ins(manifest) if not action.auth or auth.kind in action.auth]
    allowed.sort(key=lambda auth: isinstance(auth, OAuth2))
    return Probe(action, allowed[0], {}, {}, None)
