"""Signatures that vendors and standards print in their documentation."""

import pytest

from jackfield_common.connector.verification import Hmac, SecretHash, Verify
from tests.oracles.requests import Sent, verdict, verifier_for
from tests.oracles.vendors import FORM, JSON, VENDORS

SLACK_BODY = (
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmib"
    "IGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
HUBSPOT_BODY = (
    '[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
    '"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
    '"changeFlag":"NEW","appId":54321}]'
)


def scheme(name: str) -> Verify:
    return next(one.verify for one in VENDORS if one.name == name)


VECTORS: list[tuple[str, Verify, str, Sent, float]] = [
    (
        "GitHub, Validating webhook deliveries",
        scheme("github"),
        "It's a Secret to Everybody",
        Sent(
            b"Hello, World!",
            (
                (
                    "X-Hub-Signature-256",
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                ),
            ),
        ),
        0,
    ),
    (
        "Slack, Verifying requests from Slack",
        scheme("slack"),
        "8f742231b10e8888abcd99yyyzzz85a5",
        Sent(
            SLACK_BODY.encode(),
            (
                FORM,
                ("X-Slack-Request-Timestamp", "1531420618"),
                (
                    "X-Slack-Signature",
                    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
                ),
            ),
        ),
        1531420618,
    ),
    (
        "Svix, Verifying webhooks manually",
        scheme("svix"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        Sent(
            b'{"test": 2432232314}',
            (
                JSON,
                ("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("svix-timestamp", "1614265330"),
                ("svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ),
        ),
        1614265330,
    ),
    (
        "HubSpot, Validating requests, v1",
        scheme("hubspot_v1"),
        "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        Sent(
            HUBSPOT_BODY.encode(),
            (
                JSON,
                (
                    "X-HubSpot-Signature",
                    "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
                ),
            ),
        ),
        0,
    ),
    (
        "HubSpot, Validating requests, v2",
        SecretHash(header="X-HubSpot-Signature", content="{secret}{method}{url}{body}"),
        "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        Sent(
            b"",
            (
                (
                    "X-HubSpot-Signature",
                    "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e",
                ),
            ),
            "/webhook_uri",
            "GET",
            origin="https://www.example.com",
        ),
        0,
    ),
    (
        "Twilio, Validating requests",
        scheme("twilio"),
        "12345",
        Sent(
            b"Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309"
            b"&CallSid=CA1234567890ABCDE",
            (FORM, ("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")),
            "/myapp.php?foo=1&bar=2",
            origin="https://mycompany.com",
        ),
        0,
    ),
    (
        "RFC 4231, test case 2 (HMAC-SHA-512)",
        Hmac(header="X-Signature", algorithm="sha512"),
        "Jefe",
        Sent(
            b"what do ya want for nothing?",
            (
                (
                    "X-Signature",
                    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a"
                    "6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
                ),
            ),
        ),
        0,
    ),
    (
        "RFC 2202, test case 2 (HMAC-SHA-1)",
        Hmac(header="X-Signature", algorithm="sha1"),
        "Jefe",
        Sent(
            b"what do ya want for nothing?",
            (("X-Signature", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),),
        ),
        0,
    ),
]


@pytest.mark.parametrize(
    ("verify", "secret", "sent", "now"),
    [vector[1:] for vector in VECTORS],
    ids=[vector[0] for vector in VECTORS],
)
def test_documented_signatures(verify: Verify, secret: str, sent: Sent, now: float) -> None:
    judge = verifier_for(verify, {"webhook_secret": secret})
    assert verdict(judge, sent, now) is None
    assert verdict(verifier_for(verify, {"webhook_secret": "whsec_AAAA"}), sent, now) is not None
