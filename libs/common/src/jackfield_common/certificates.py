"""Signed reports: a certification report that anyone with the public keys can check.

The signature is a compact JWS (RFC 7515) by the certification service over what a reader acts on (run,
connector, level, score, completeness) and the digest of the whole report.
"""

import hashlib
import json

from jackfield_common.events.certification import RunCompleted
from jackfield_common.events.message import JsonObject
from jackfield_common.sealing import Keys, SealError
from jackfield_common.topics import Service


def digest_of(report: RunCompleted) -> str:
    """SHA-256, in hex, of a report without its signature.

    Fields at their defaults are left out, so that a report keeps its digest when later versions of the
    event have more fields.
    """
    document = report.model_dump(mode="json", exclude={"signature"}, exclude_defaults=True)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def signed(report: RunCompleted, keys: Keys) -> RunCompleted:
    """The report with the signature of the service that `keys` belong to. Raises SealError."""
    return report.model_copy(update={"signature": keys.sign(_statement(report))})


def verify(report: RunCompleted, keys: Keys) -> None:
    """Check that the certification service made exactly this report.

    Raises SealError saying whether the signature is missing, somebody else's, or of another report.
    """
    if report.signature is None:
        raise SealError("the report is not signed")
    if keys.verify(Service.CERTIFICATION, report.signature) != _statement(report):
        raise SealError(
            "the signature is of another report: this one was changed after it was signed"
        )


def _statement(report: RunCompleted) -> JsonObject:
    return {
        "run_id": report.run_id,
        "connector": report.connector,
        "connector_version": report.connector_version,
        "complete": report.complete,
        "level": report.level.value,
        "score": report.score,
        "digest": digest_of(report),
    }
