"""An HTTP vendor made from a connector's manifest: routes, sign-in, limits, pages, faults."""

from jackfield_certification.emulator.calls import Call, Calls
from jackfield_certification.emulator.matching import ArrivedRequest
from jackfield_certification.emulator.recording import Recording, RecordingError
from jackfield_certification.emulator.signin import Credential, NoSyntheticValue, invent
from jackfield_certification.emulator.vendor import VendorEmulator

__all__ = [
    "ArrivedRequest",
    "Call",
    "Calls",
    "Credential",
    "NoSyntheticValue",
    "Recording",
    "RecordingError",
    "VendorEmulator",
    "invent",
]
