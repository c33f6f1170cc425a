"""Webhooks signed here are held against vendors' own libraries, which share no code with us."""

import time
from typing import Any

import pytest
import stripe
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from jackfield_certification.signing import Outgoing, Unsignable, signer_for
from jackfield_common.connector.verification import (
    Addresses,
    BasicCredentials,
    Ecdsa,
    Ed25519,
    Hmac,
    SecretHash,
    StandardWebhooks,
    StaticToken,
    TwilioForm,
    Window,
)

BODY = b'{"a": 1}'
URL = "https://hooks.example/webhooks/x"
PLAIN = Outgoing(URL, {"Content-Type": "application/json"}, BODY)


def test_slack_s_own_library_accepts_it() -> None:
    scheme = Hmac(
        header="X-Slack-Signature",
        prefix="v0=",
        content="v0:{header:X-Slack-Request-Timestamp}:{body}",
        window=Window(timestamp="header:X-Slack-Request-Timestamp"),
    )
    signer = signer_for(scheme, {})
    signed = signer.sign(PLAIN, time.time())
    verifier = SignatureVerifier(signer.fields["webhook_secret"])
    assert verifier.is_valid_request(signed.body, dict(signed.headers))
    assert not verifier.is_valid_request(signed.body + b" ", dict(signed.headers))


def test_stripe_s_own_library_accepts_it() -> None:
    scheme = Hmac(
        header="Stripe-Signature",
        parts="v1",
        content="{part:t}.{body}",
        window=Window(timestamp="part:t"),
    )
    signer = signer_for(scheme, {})
    signed = signer.sign(PLAIN, time.time())
    header = signed.header("Stripe-Signature")
    assert header is not None
    secret = signer.fields["webhook_secret"]
    library: Any = stripe.WebhookSignature
    assert library.verify_header(BODY.decode(), header, secret, 300)


def test_standard_webhooks_own_library_accepts_it() -> None:
    signer = signer_for(StandardWebhooks(), {})
    signed = signer.sign(PLAIN, time.time())
    opened = Webhook(signer.fields["webhook_secret"]).verify(signed.body, dict(signed.headers))
    assert opened == {"a": 1}


@pytest.mark.parametrize(
    "scheme",
    [
        Hmac(header="X-S", algorithm="sha1"),
        Hmac(header="X-S", algorithm="sha512", encoding="base64", secret_encoding="base64"),
        Hmac(header="X-S", secret_encoding="hex", secret_prefix="s_"),
        Hmac(place="query:sig", content="{url}{body}"),
        SecretHash(header="X-S", content="{body}{secret}"),
        Ed25519(header="X-S", content="{timestamp}{body}", window=Window(timestamp="header:X-T")),
        Ecdsa(header="X-S"),
        TwilioForm(),
        StaticToken(header="X-Token"),
        StaticToken(place="body:token"),
        BasicCredentials(),
        StandardWebhooks(header_prefix="svix-"),
    ],
)
def test_each_scheme_puts_its_proof_where_it_says_and_needs_a_field(scheme: Any) -> None:
    signer = signer_for(scheme, {})
    signed = signer.sign(PLAIN, time.time())
    assert all(signed.at(place) for place in signer.proof)
    assert signer.fields.keys() == {one.name for one in scheme.fields}
    other = signer_for(scheme, {})
    assert other.fields != signer.fields


def test_what_only_the_vendor_can_sign_says_so() -> None:
    with pytest.raises(Unsignable, match="network"):
        signer_for(Addresses(), {})
