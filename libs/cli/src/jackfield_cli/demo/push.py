"""A recorded GitHub push, signed as GitHub signs it."""

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, JsonValue

_RECORDED = Path(__file__).with_name("push.json")
SIGNATURE = "X-Hub-Signature-256"


class Recording(BaseModel):
    """What GitHub sent, and where it is documented."""

    source: str
    headers: dict[str, str]
    body: dict[str, JsonValue]


@dataclass(frozen=True)
class Push:
    """One delivery, ready to be posted."""

    headers: dict[str, str]
    body: bytes

    @classmethod
    def recorded(cls, secret: str) -> Self:
        """The recorded push as a new delivery: an id of its own, a signature by this secret."""
        recording = Recording.model_validate_json(_RECORDED.read_bytes())
        body = json.dumps(recording.body, separators=(",", ":")).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            **recording.headers,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            SIGNATURE: f"sha256={signature}",
        }
        return cls(headers, body)
