"""Official SDKs sign and we verify; vendors' own signers of ours are verified by the SDKs."""

import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import stripe
import svix
from slack_sdk.signature import SignatureVerifier

from jackfield_gateway.edge.reasons import Reason
from tests.oracles.requests import Sent, verdict, verifier_for
from tests.oracles.vendors import BODY, JSON, SECRET, VENDORS, WHSEC, Vendor

TEXT = BODY.decode()


def vendor(name: str) -> Vendor:
    return next(one for one in VENDORS if one.name == name)


def test_what_stripe_signs_is_accepted_and_what_we_sign_stripe_accepts() -> None:
    now = int(time.time())
    judge = verifier_for(vendor("stripe").verify, {"webhook_secret": SECRET})
    signature = stripe.WebhookSignature._compute_signature(  # pyright: ignore[reportPrivateUsage] - the SDK's signer
        f"{now}.{TEXT}", SECRET
    )
    sent = Sent(BODY, (JSON, ("Stripe-Signature", f"t={now},v1={signature},v0=old")))
    assert verdict(judge, sent, now) is None
    assert verdict(judge, sent, now + 301) is Reason.STALE

    ours = vendor("stripe").sign({"webhook_secret": SECRET}, BODY, now)
    assert stripe.WebhookSignature.verify_header(  # pyright: ignore[reportUnknownMemberType]
        TEXT, ours.header("Stripe-Signature"), SECRET, 300
    )


def test_what_slack_signs_is_accepted_and_what_we_sign_slack_accepts() -> None:
    now = int(time.time())
    judge = verifier_for(vendor("slack").verify, {"webhook_secret": SECRET})
    official = SignatureVerifier(SECRET)
    signature = official.generate_signature(timestamp=str(now), body=BODY)
    assert signature is not None
    sent = Sent(
        BODY,
        (JSON, ("X-Slack-Request-Timestamp", str(now)), ("X-Slack-Signature", signature)),
    )
    assert verdict(judge, sent, now) is None

    ours = vendor("slack").sign({"webhook_secret": SECRET}, BODY, now)
    assert official.is_valid(
        BODY, ours.header("X-Slack-Request-Timestamp"), ours.header("X-Slack-Signature")
    )


@pytest.mark.parametrize(
    ("name", "prefix", "sdk"),
    [("svix", "svix-", svix.Webhook), ("standard_webhooks", "webhook-", standardwebhooks.Webhook)],
)
def test_what_standard_webhooks_sign_is_accepted_and_the_reverse(
    name: str, prefix: str, sdk: type[svix.Webhook] | type[standardwebhooks.Webhook]
) -> None:
    now = int(time.time())
    judge = verifier_for(vendor(name).verify, WHSEC)
    official = sdk(WHSEC["webhook_secret"])
    signature = official.sign("msg_1", datetime.fromtimestamp(now, UTC), TEXT)
    sent = Sent(
        BODY,
        (
            JSON,
            (f"{prefix}id", "msg_1"),
            (f"{prefix}timestamp", str(now)),
            (f"{prefix}signature", f"v1a,asymmetric {signature} v1,rotated="),
        ),
    )
    assert verdict(judge, sent, now) is None
    assert verdict(judge, sent, now + 301) is Reason.STALE
    assert verdict(judge, sent.with_header(f"{prefix}id", "msg_2"), now) is Reason.SIGNATURE

    ours = vendor(name).sign(WHSEC, BODY, now)
    official.verify(TEXT, dict(ours.headers))  # raises when it does not hold


def test_an_id_cannot_swallow_the_timestamp() -> None:
    # "a" . "1" . "2.x" and "a.1" . "2" . "x" have the same signed content
    now = 1_763_700_000
    judge = verifier_for(vendor("standard_webhooks").verify, WHSEC)
    official = standardwebhooks.Webhook(WHSEC["webhook_secret"])
    signature = official.sign("a", datetime.fromtimestamp(1, UTC), f"{now}.body")
    shifted = Sent(
        b"body",
        (
            JSON,
            ("webhook-id", "a.1"),
            ("webhook-timestamp", str(now)),
            ("webhook-signature", signature),
        ),
    )
    assert verdict(judge, shifted, now) is Reason.MALFORMED
