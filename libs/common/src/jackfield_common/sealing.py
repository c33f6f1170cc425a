"""Sealing: what only one service can open.

JWE (RFC 7516), ECDH-ES+A256KW (RFC 7518, 4.6) with X25519 (RFC 8037) and A256GCM. Signatures are JWS
(RFC 7515) with Ed25519. Keys live in a directory: `public.jwks` holds every service's public keys,
`<service>.jwks` a service's private ones; of several keys for one use the first is the current one, the
others only open what was sealed before a rotation.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from pydantic import JsonValue

from jackfield_common.errors import JackfieldError
from jackfield_common.events.integration import SealedSecret
from jackfield_common.topics import Service

_ALGORITHMS: Final = ["ECDH-ES+A256KW", "A256GCM"]
_SIGNATURES: Final = ["Ed25519", "EdDSA"]

SEALS: Final = (Service.GATEWAY, Service.OAUTH, Service.CONNECTORS)
"""Services that something is sealed to."""
SIGNS: Final = (Service.OAUTH, Service.CERTIFICATION)
"""Services whose word is signed."""


class SealError(JackfieldError):
    """A seal or a signature that does not hold, or a key that is not there. Says nothing of the content."""


class Keys:
    """The keys of one service, and everyone's public ones."""

    def __init__(self, service: Service, private: KeySet, public: KeySet) -> None:
        self._service = service
        self._private = private
        self._public = public

    @classmethod
    def load(cls, directory: Path, service: Service) -> "Keys":
        """Read the key files. Raises SealError naming the file that is missing or broken."""
        public = _read(directory / "public.jwks")
        own = directory / f"{service}.jwks"
        private = _read(own) if service in SEALS or service in SIGNS else KeySet([])
        return cls(service, private, public)

    def seal(self, recipient: Service, label: str, content: bytes) -> SealedSecret:
        """Seal bytes to a service's current key."""
        key = self._public_key(recipient, "enc")
        header = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": key.kid}
        token = jwe.encrypt_compact(header, content, key, algorithms=_ALGORITHMS)
        return SealedSecret(label=label, kid=key.kid or "", jwe=token)

    def open(self, sealed: SealedSecret) -> bytes:
        """Open what was sealed to this service. Raises SealError."""
        return self.open_token(sealed.jwe)

    def open_token(self, token: str) -> bytes:
        """Open a compact JWE sealed to this service. Raises SealError."""
        try:
            content = jwe.decrypt_compact(token, self._private, algorithms=_ALGORITHMS).plaintext
        except (JoseError, ValueError) as error:
            raise SealError(f"{self._service} cannot open this: {type(error).__name__}") from None
        if content is None:
            raise SealError("the sealed content is empty")
        return content

    def sign(self, payload: Mapping[str, JsonValue]) -> str:
        """A compact JWS by this service over a JSON object."""
        key = self._private_key("sig")
        content = json.dumps(payload, separators=(",", ":")).encode()
        return jws.serialize_compact(
            {"alg": "Ed25519", "kid": key.kid}, content, key, algorithms=_SIGNATURES
        )

    def verify(self, signer: Service, token: str) -> dict[str, JsonValue]:
        """The payload of a JWS that `signer` made. Raises SealError for anybody else's."""
        keys = [key for key in self._public.keys if _is_for(key, signer, "sig")]
        try:
            signed = jws.deserialize_compact(token, KeySet(keys), algorithms=_SIGNATURES)
            payload = json.loads(signed.payload)
        except (JoseError, ValueError) as error:
            raise SealError(f"not signed by {signer}: {type(error).__name__}") from None
        if not isinstance(payload, dict):
            raise SealError(f"the payload signed by {signer} is not an object")
        return cast(dict[str, JsonValue], payload)

    def _public_key(self, service: Service, use: str) -> OKPKey:
        for key in self._public.keys:
            if _is_for(key, service, use):
                return cast(OKPKey, key)
        raise SealError(f"public.jwks has no {use} key of {service}: run `jackfield doctor`")

    def _private_key(self, use: str) -> OKPKey:
        for key in self._private.keys:
            if _is_for(key, self._service, use):
                return cast(OKPKey, key)
        raise SealError(f"{self._service}.jwks has no {use} key: run `jackfield doctor`")


def _is_for(key: object, service: Service, use: str) -> bool:
    data = cast(OKPKey, key).as_dict(private=False)
    return data.get("use") == use and str(data.get("kid", "")).startswith(f"{service}-")


def _read(path: Path) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SealError(f"{path.name}: {error.strerror} (JACKFIELD_KEYS_DIR)") from None
    except (ValueError, KeyError, JoseError) as error:
        raise SealError(f"{path.name} is not a JWK set (RFC 7517, 5): {error}") from None


def _generate(service: Service, use: str) -> OKPKey:
    curve = "X25519" if use == "enc" else "Ed25519"
    key = OKPKey.generate_key(curve, parameters={"use": use}, auto_kid=True)
    data = key.as_dict(private=True)
    return OKPKey.import_key({**data, "kid": f"{service}-{use}-{str(data['kid'])[:16]}"})


def create_missing_keys(directory: Path) -> None:
    """Make the keys that a fresh installation lacks; existing ones stay. Private files have mode 0600."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    public: list[dict[str, JsonValue]] = []
    for service in Service:
        uses = [use for use, who in (("enc", SEALS), ("sig", SIGNS)) if service in who]
        if not uses:
            continue
        path = directory / f"{service}.jwks"
        if not path.exists():
            made = [_generate(service, use).as_dict(private=True) for use in uses]
            _write(path, {"keys": cast(list[JsonValue], made)}, 0o600)
        for key in _read(path).keys:
            public.append(cast(dict[str, JsonValue], cast(OKPKey, key).as_dict(private=False)))
    _write(directory / "public.jwks", {"keys": cast(list[JsonValue], public)}, 0o644)


def _write(path: Path, document: Mapping[str, JsonValue], mode: int) -> None:
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
