"""Ten thousand single-bit changes to valid requests, per vendor: none is accepted."""

import random
from dataclasses import replace
from urllib.parse import unquote

from tests.oracles.requests import Sent, verdict
from tests.oracles.test_schemes import each, sent_by, verifier
from tests.oracles.vendors import NOW, Vendor

MUTATIONS = 10_000
# words whose letters' case means nothing (RFC 9110, 11.1)
SCHEMES = ("Bearer ", "Basic ")
# parts of the body that these vendors do not sign
SIGNED_BODY = {"mailgun": b'"token": "', "sns": b'"Message": "'}


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


def places(vendor: Vendor, sent: Sent) -> list[tuple[str, int, int]]:
    """What the proof covers: a header's value or the body, from byte to byte."""
    found: list[tuple[str, int, int]] = []
    for name in vendor.proof:
        value = sent.header(name)
        start = next((len(word) for word in SCHEMES if value.startswith(word)), 0)
        if value.count("v1=") > 1:
            # of several signatures one has to hold: the last one does
            start = value.rindex("v1=")
        found.append((name, start, len(value)))
    if vendor.covers_body and vendor.name not in SIGNED_BODY:
        found.append(("", 0, len(sent.body)))
    if (marker := SIGNED_BODY.get(vendor.name)) is not None:
        start = sent.body.index(marker) + len(marker)
        found.append(("", start, start + 40))
    return found


@each(lambda one: one.covers_body or bool(one.proof) or one.name in SIGNED_BODY)
def test_no_single_bit_can_be_changed(vendor: Vendor) -> None:
    sent, judge = sent_by(vendor), verifier(vendor)
    assert verdict(judge, sent, NOW) is None
    certificate = unquote(sent.headers[-1][1])
    bits = [
        (name, bit)
        for name, start, end in places(vendor, sent)
        for bit in range(start * 8, end * 8)
    ]
    chosen = random.Random(7).sample(bits, min(len(bits), MUTATIONS))  # noqa: S311 - chooses test cases
    # a proof is shorter than that in bits: the rest of the mutations change two of them
    pairs = random.Random(8)  # noqa: S311 - chooses test cases
    for index in range(MUTATIONS):
        name, bit = chosen[index] if index < len(chosen) else pairs.choice(bits)
        mutated = _mutated(sent, name, bit)
        if index >= len(chosen):
            name, other = pairs.choice(bits)
            if other == bit:
                continue
            mutated = _mutated(mutated, name, other)
        if vendor.name == "mutual_tls" and unquote(mutated.header(name)) == certificate:
            continue  # %0A and %0a are the same character
        assert verdict(judge, mutated, NOW) is not None, (name, bit)


def _mutated(sent: Sent, name: str, bit: int) -> Sent:
    if not name:
        return replace(sent, body=flipped(sent.body, bit))
    value = flipped(sent.header(name).encode("latin-1"), bit)
    return sent.with_header(name, value.decode("latin-1"))
