"""Only the recipient opens a seal, only the signer makes a signature, and rotation needs no pause."""

import json
import stat
from pathlib import Path

import pytest

from jackfield_common.sealing import Keys, SealError, create_missing_keys
from jackfield_common.topics import Service


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    create_missing_keys(tmp_path)
    return tmp_path


def test_only_the_recipient_opens_a_seal(keys: Path) -> None:
    gateway, vault = Keys.load(keys, Service.GATEWAY), Keys.load(keys, Service.OAUTH)
    sealed = gateway.seal(Service.OAUTH, "credential", b"hunter2")
    assert vault.open(sealed) == b"hunter2"
    with pytest.raises(SealError, match="gateway cannot open"):
        gateway.open(sealed)
    assert "hunter2" not in sealed.jwe
    assert sealed.jwe not in repr(sealed)


def test_two_seals_of_the_same_secret_differ(keys: Path) -> None:
    gateway = Keys.load(keys, Service.GATEWAY)
    seals = {gateway.seal(Service.OAUTH, "x", b"same").jwe for _ in range(5)}
    assert len(seals) == 5


@pytest.mark.parametrize("position", [10, 100, -10])
def test_a_changed_seal_does_not_open(keys: Path, position: int) -> None:
    gateway, vault = Keys.load(keys, Service.GATEWAY), Keys.load(keys, Service.OAUTH)
    token = gateway.seal(Service.OAUTH, "x", b"secret").jwe
    changed = "A" if token[position] != "A" else "B"
    index = position % len(token)
    with pytest.raises(SealError):
        vault.open_token(token[:index] + changed + token[index + 1 :])


@pytest.mark.parametrize("garbage", ["", "a.b.c.d.e", "no token", "eyJhbGciOiJub25lIn0....", "é"])
def test_garbage_does_not_open(keys: Path, garbage: str) -> None:
    vault = Keys.load(keys, Service.OAUTH)
    with pytest.raises(SealError):
        vault.open_token(garbage)
    with pytest.raises(SealError):
        vault.verify(Service.OAUTH, garbage)


def test_a_signature_is_its_signers(keys: Path) -> None:
    vault, worker = Keys.load(keys, Service.OAUTH), Keys.load(keys, Service.CONNECTORS)
    token = vault.sign({"integration_id": "i", "version": 3})
    assert worker.verify(Service.OAUTH, token) == {"integration_id": "i", "version": 3}
    with pytest.raises(SealError, match="not signed by certification"):
        worker.verify(Service.CERTIFICATION, token)


def test_an_older_key_still_opens_after_rotation(keys: Path) -> None:
    gateway = Keys.load(keys, Service.GATEWAY)
    before = gateway.seal(Service.OAUTH, "x", b"old")
    own = json.loads((keys / "oauth.jwks").read_text())["keys"]
    (keys / "oauth.jwks").unlink()
    create_missing_keys(keys)
    rotated = json.loads((keys / "oauth.jwks").read_text())["keys"]
    (keys / "oauth.jwks").write_text(json.dumps({"keys": rotated + own}))
    create_missing_keys(keys)
    gateway, vault = Keys.load(keys, Service.GATEWAY), Keys.load(keys, Service.OAUTH)
    after = gateway.seal(Service.OAUTH, "x", b"new")
    assert before.kid != after.kid
    assert (vault.open(before), vault.open(after)) == (b"old", b"new")


def test_private_keys_are_their_owners_alone_and_stay(keys: Path) -> None:
    before = (keys / "oauth.jwks").read_bytes()
    create_missing_keys(keys)
    assert (keys / "oauth.jwks").read_bytes() == before
    for file in keys.glob("*.jwks"):
        mode = stat.S_IMODE(file.stat().st_mode)
        assert mode == (0o644 if file.name == "public.jwks" else 0o600)
    public = json.loads((keys / "public.jwks").read_text())["keys"]
    assert all("d" not in key for key in public)


@pytest.mark.parametrize("content", [None, "{", '{"keys": [{"kty": "what"}]}'])
def test_a_missing_or_broken_key_file_is_named(keys: Path, content: str | None) -> None:
    path = keys / "gateway.jwks"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(SealError, match=r"gateway\.jwks"):
        Keys.load(keys, Service.GATEWAY)
