"""What an emulated vendor answers to which request: recorded exchanges first, declared calls next."""

import re
from dataclasses import dataclass
from typing import Final

from jackfield_certification.emulator.matching import ArrivedRequest, differences
from jackfield_certification.emulator.recording import Recording, Step, base_path, read_recording
from jackfield_common.connector.manifest import Manifest

_PLACEHOLDER: Final = re.compile(r"\{\+?\w+\}")


@dataclass(frozen=True, slots=True)
class Match:
    """A request, understood. Without `recording` only the declared call says what it is."""

    action: str
    recording: Recording | None
    step: Step | None
    differences: tuple[str, ...]


class Routes:
    """The routes of one connector's vendor. Raises RecordingError when an exchange cannot be read."""

    def __init__(self, manifest: Manifest) -> None:
        base = base_path(manifest)
        self.recordings = tuple(read_recording(one, manifest) for one in manifest.exchanges)
        self._steps = [(one, step) for one in self.recordings for step in one.steps]
        self._declared = [
            (action, call, _compiled(base + call.path))
            for action in manifest.actions
            for call in (*((action.http,) if action.http else ()), *action.http_by_auth.values())
        ]

    def of(self, action: str) -> tuple[Recording, ...]:
        """The recordings of one action."""
        return tuple(one for one in self.recordings if one.action == action)

    def match(
        self, arrived: ArrivedRequest, expected: Recording | None, ignore_query: frozenset[str]
    ) -> Match | None:
        """What this request is; None for a route that the vendor does not have.

        Of several recordings with this method and path the nearest is taken, `expected` before others
        that are as near.
        """
        here = [
            (recording, step)
            for recording, step in self._steps
            if step.request.method == arrived.method and step.request.path == arrived.path
        ]
        if here:
            return _nearest(here, arrived, expected, ignore_query)
        for action, call, pattern in self._declared:
            if call.method == arrived.method and pattern.fullmatch(arrived.path):
                recorded = [(one, one.steps[0]) for one in self.of(action.name) if one.succeeds]
                if recorded:
                    return _nearest(recorded, arrived, expected, ignore_query)
                return Match(action.name, None, None, ())
        return None


def _nearest(
    candidates: list[tuple[Recording, Step]],
    arrived: ArrivedRequest,
    expected: Recording | None,
    ignore_query: frozenset[str],
) -> Match:
    compared = [
        (recording, step, differences(step.request, arrived, ignore_query=ignore_query))
        for recording, step in candidates
    ]
    compared.sort(key=lambda one: (len(one[2]), one[0] is not expected, not one[0].succeeds))
    recording, step, found = compared[0]
    return Match(recording.action, recording, step, found)


def _compiled(path: str) -> re.Pattern[str]:
    pattern = ""
    position = 0
    for placeholder in _PLACEHOLDER.finditer(path):
        pattern += re.escape(path[position : placeholder.start()])
        pattern += ".+" if placeholder[0].startswith("{+") else "[^/]+"
        position = placeholder.end()
    return re.compile(pattern + re.escape(path[position:]) or "/")
