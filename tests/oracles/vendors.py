"""Each vendor's way of proving itself, and a signer written from its documentation.

The signers share no code with the listener: where an official SDK signs, it does (`test_sdks.py`).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import quote, urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import JsonValue

from jackfield_common.connector.verification import (
    Addresses,
    BasicCredentials,
    ClientCertificate,
    Ecdsa,
    Ed25519,
    Hmac,
    Jwt,
    SecretHash,
    SnsCertificate,
    StandardWebhooks,
    StaticToken,
    TwilioForm,
    Verify,
    Window,
)
from tests.oracles.requests import ORIGIN, PATH, PROXY, Sent

NOW = 1_763_700_000.0
SECRET = "correct-horse-battery-staple"
BODY = b'{"action":"opened","number":7,"title":"a plain title"}'
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def digest(key: str | bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    """HMAC, from the standard library's object interface."""
    raw = key if isinstance(key, bytes) else key.encode()
    return hmac.new(raw, content, algorithm).digest()


def b64(raw: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(raw).decode()


@dataclass(frozen=True)
class Vendor:
    """A vendor's scheme, the secrets of an installation, and how a request is signed at a time."""

    name: str
    verify: Verify
    sign: Callable[[Mapping[str, str], bytes, float], Sent]
    secrets: Mapping[str, str] = field(default_factory=lambda: {"webhook_secret": SECRET})
    others: Mapping[str, str] = field(default_factory=lambda: {"webhook_secret": "another secret"})
    """Secrets of somebody else."""
    body: bytes = BODY
    other_body: bytes = BODY.replace(b"plain", b"other")
    window: float | None = None
    """Seconds of the replay window."""
    covers_body: bool = True
    proof: tuple[str, ...] = ()
    """Headers that must be there, once, as they are."""
    documents: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    config: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


def simple(
    name: str,
    header: str,
    *,
    algorithm: str = "sha256",
    prefix: str = "",
    encode: Callable[[bytes], str] = bytes.hex,
    **options: object,
) -> Vendor:
    """A vendor that signs the raw body and nothing else."""

    def sign(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
        signature = encode(digest(secrets["webhook_secret"], body, algorithm))
        return Sent(body, (JSON, (header, prefix + signature)))

    encoding = "hex" if encode is bytes.hex else "base64"
    verify = Hmac.model_validate(
        {"header": header, "prefix": prefix, "algorithm": algorithm, "encoding": encoding} | options
    )
    return Vendor(name, verify, sign, proof=(header,))


def stamped(now: float) -> str:
    """Seconds since the epoch."""
    return str(int(now))


def stripe(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    signature = digest(secrets["webhook_secret"], stamped(now).encode() + b"." + body).hex()
    return Sent(body, (JSON, ("Stripe-Signature", f"t={stamped(now)},v1={signature}")))


def slack(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    content = b"v0:" + stamped(now).encode() + b":" + body
    return Sent(
        body,
        (
            JSON,
            ("X-Slack-Request-Timestamp", stamped(now)),
            ("X-Slack-Signature", "v0=" + digest(secrets["webhook_secret"], content).hex()),
        ),
    )


def zoom(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    content = b"v0:" + stamped(now).encode() + b":" + body
    return Sent(
        body,
        (
            JSON,
            ("x-zm-request-timestamp", stamped(now)),
            ("x-zm-signature", "v0=" + digest(secrets["webhook_secret"], content).hex()),
        ),
    )


def standard(prefix: str) -> Callable[[Mapping[str, str], bytes, float], Sent]:
    def sign(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
        key = base64.b64decode(secrets["webhook_secret"].removeprefix("whsec_"))
        content = b"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W." + stamped(now).encode() + b"." + body
        return Sent(
            body,
            (
                JSON,
                (f"{prefix}id", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
                (f"{prefix}timestamp", stamped(now)),
                (f"{prefix}signature", "v1," + b64(digest(key, content))),
            ),
        )

    return sign


def token(header: str, prefix: str = "") -> Callable[[Mapping[str, str], bytes, float], Sent]:
    def sign(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
        return Sent(body, (JSON, (header, prefix + secrets["webhook_secret"])))

    return sign


def basic(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    credentials = b64(secrets["webhook_secret"].encode())
    return Sent(body, (JSON, ("Authorization", f"Basic {credentials}")))


def twilio(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    fields = dict(part.split("=") for part in body.decode().split("&"))
    content = ORIGIN + PATH + "".join(key + fields[key] for key in sorted(fields))
    signature = b64(digest(secrets["webhook_secret"], content.encode(), "sha1"))
    return Sent(body, (FORM, ("X-Twilio-Signature", signature)))


def twilio_json(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    target = f"{PATH}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = b64(digest(secrets["webhook_secret"], (ORIGIN + target).encode(), "sha1"))
    return Sent(body, (JSON, ("X-Twilio-Signature", signature)), target)


def trello(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    content = body + (ORIGIN + PATH).encode()
    signature = b64(digest(secrets["webhook_secret"], content, "sha1"))
    return Sent(body, (JSON, ("X-Trello-Webhook", signature)))


def mailgun(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    nonce = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signature = digest(secrets["webhook_secret"], (stamped(now) + nonce).encode()).hex()
    document = json.loads(body) | {
        "signature": {"timestamp": stamped(now), "token": nonce, "signature": signature}
    }
    return Sent(json.dumps(document).encode(), (JSON,))


def hubspot_v1(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    signature = hashlib.sha256(secrets["webhook_secret"].encode() + body).hexdigest()
    return Sent(body, (JSON, ("X-HubSpot-Signature", signature)))


def hubspot_v2(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    content = secrets["webhook_secret"].encode() + b"POST" + (ORIGIN + PATH).encode() + body
    signature = hashlib.sha256(content).hexdigest()
    return Sent(body, (JSON, ("X-HubSpot-Signature", signature)))


def hubspot_v3(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    timestamp = str(int(now * 1000))
    content = b"POST" + (ORIGIN + PATH).encode() + body + timestamp.encode()
    return Sent(
        body,
        (
            JSON,
            ("X-HubSpot-Request-Timestamp", timestamp),
            ("X-HubSpot-Signature-v3", b64(digest(secrets["webhook_secret"], content))),
        ),
    )


def linear(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    document = json.loads(body) | {"webhookTimestamp": int(now * 1000)}
    sent = json.dumps(document).encode()
    return Sent(sent, (JSON, ("Linear-Signature", digest(secrets["webhook_secret"], sent).hex())))


def in_parts(name: str, header: str) -> Vendor:
    def sign(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
        old = digest("the secret before", body).hex()
        new = digest(secrets["webhook_secret"], body).hex()
        return Sent(body, (JSON, (header, f"v1={old},v1={new}")))

    return Vendor(name, Hmac(header=header, parts="v1"), sign, proof=(header,))


def grafana(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    content = stamped(now).encode() + b":" + body
    return Sent(
        body,
        (
            JSON,
            ("X-Grafana-Alerting-Timestamp", stamped(now)),
            ("X-Grafana-Alerting-Signature", digest(secrets["webhook_secret"], content).hex()),
        ),
    )


def teams(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    key = base64.b64decode(secrets["webhook_secret"])
    return Sent(body, (JSON, ("Authorization", "HMAC " + b64(digest(key, body)))))


def airtable(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    key = base64.b64decode(secrets["webhook_secret"])
    return Sent(body, (JSON, ("X-Airtable-Content-MAC", "hmac-sha256=" + digest(key, body).hex())))


def mattermost(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    fields = {"text": "build it", "token": secrets["webhook_secret"], "user_name": "ann"}
    return Sent(urlencode(fields).encode(), (FORM,))


def graph(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    item = {"changeType": "created", "clientState": secrets["webhook_secret"]}
    return Sent(json.dumps({"value": [item, {**item, "changeType": "updated"}]}).encode(), (JSON,))


# Keys are made once a run: nothing about them is secret.


@cache
def discord_key(number: int) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))


def discord_public(number: int) -> str:
    return discord_key(number).public_key().public_bytes_raw().hex()


def discord(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    number = next(n for n in (1, 2) if discord_public(n) == secrets["public_key"])
    signature = discord_key(number).sign(stamped(now).encode() + body).hex()
    return Sent(
        body,
        (JSON, ("X-Signature-Ed25519", signature), ("X-Signature-Timestamp", stamped(now))),
    )


@cache
def sendgrid_key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(1000 + number, ec.SECP256R1())


def sendgrid_public(number: int) -> str:
    return b64(
        sendgrid_key(number)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def sendgrid(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    number = next(n for n in (1, 2) if sendgrid_public(n) == secrets["public_key"])
    signature = sendgrid_key(number).sign(stamped(now).encode() + body, ec.ECDSA(hashes.SHA256()))
    return Sent(
        body,
        (
            JSON,
            ("X-Twilio-Email-Event-Webhook-Signature", b64(signature)),
            ("X-Twilio-Email-Event-Webhook-Timestamp", stamped(now)),
        ),
    )


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def google_key() -> RSAKey:
    pem = rsa_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return RSAKey.import_key(pem, {"kid": "g1"})


GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"


def google(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    claims: dict[str, object] = {
        "iss": "https://accounts.google.com",
        "aud": secrets["audience"],
        "email": secrets["service_account"],
        "email_verified": True,
        "iat": int(now),
        "exp": int(now) + 3600,
        "sub": "113774264463038321964",
    }
    text = jwt.encode({"alg": "RS256", "kid": "g1", "typ": "JWT"}, claims, google_key())
    return Sent(body, (JSON, ("Authorization", f"Bearer {text}")))


@cache
def ec_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "e1"})


def jwt_es256(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    claims: dict[str, object] = {
        "iss": "issuer.test",
        "aud": ["other", ORIGIN + PATH],
        "iat": int(now),
        "exp": int(now) + 60,
    }
    text = jwt.encode({"alg": "ES256", "kid": secrets["kid"]}, claims, ec_key())
    return Sent(body, (JSON, ("X-Token", text)))


def jwt_hs256(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    claims: dict[str, object] = {
        "iss": "issuer.test",
        "aud": secrets["audience"],
        "exp": int(now) + 60,
        "nbf": int(now) - 60,
    }
    key = OctKey.import_key(secrets["webhook_secret"])
    return Sent(
        body, (JSON, ("Authorization", f"Bearer {jwt.encode({'alg': 'HS256'}, claims, key)}"))
    )


TOPIC = "arn:aws:sns:eu-central-1:123456789012:builds"
SNS_CERTIFICATE = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b.pem"


@cache
def certificate(name: str) -> x509.Certificate:
    """A certificate for `name`, signed by the one RSA key there is."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.fromtimestamp(NOW, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(rsa_key().public_key())
        .serial_number(sum(name.encode()))
        .not_valid_before(start - timedelta(days=400))
        .not_valid_after(start + timedelta(days=4000))
        .sign(rsa_key(), hashes.SHA256())
    )


def pem(name: str) -> bytes:
    """A certificate as PEM."""
    return certificate(name).public_bytes(serialization.Encoding.PEM)


def sns(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    message = {
        "Type": "Notification",
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "TopicArn": secrets["topic_arn"],
        "Message": body.decode(),
        "Timestamp": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "2",
        "SigningCertURL": SNS_CERTIFICATE,
    }
    names = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    content = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    message["Signature"] = b64(rsa_key().sign(content, padding.PKCS1v15(), hashes.SHA256()))
    return Sent(json.dumps(message).encode(), (("Content-Type", "text/plain; charset=UTF-8"),))


def mutual_tls(secrets: Mapping[str, str], body: bytes, now: float) -> Sent:
    name = secrets.get("name", "client")
    return Sent(body, (JSON, ("X-SSL-Client-Cert", quote(pem(name)))), peer=PROXY)


WHSEC = {"webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
OTHER_WHSEC = {"webhook_secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
B64_SECRET = {"webhook_secret": b64(b"a key of thirty-two bytes length")}
OTHER_B64_SECRET = {"webhook_secret": b64(b"another one, as long as that one")}
PASSWORD = {"webhook_secret": "jackfield:correct-horse"}
OTHER_PASSWORD = {"webhook_secret": "jackfield:wrong-horse"}

VENDORS: tuple[Vendor, ...] = (
    simple("github", "X-Hub-Signature-256", prefix="sha256="),
    simple("bitbucket", "X-Hub-Signature", prefix="sha256="),
    simple("jira", "X-Hub-Signature", prefix="sha256="),
    simple("snyk", "X-Hub-Signature", prefix="sha256="),
    simple("notion", "X-Notion-Signature", prefix="sha256="),
    simple("sentry", "Sentry-Hook-Signature"),
    simple("asana", "X-Hook-Signature"),
    simple("dropbox", "X-Dropbox-Signature"),
    simple("sonarqube", "X-Sonar-Webhook-HMAC-SHA256"),
    simple("shopify", "X-Shopify-Hmac-Sha256", encode=b64),
    simple("intercom", "X-Hub-Signature", prefix="sha1=", algorithm="sha1"),
    simple("hmac_sha1", "X-Signature", algorithm="sha1"),
    simple("hmac_sha512", "X-Signature", algorithm="sha512", encode=b64),
    in_parts("pagerduty", "X-PagerDuty-Signature"),
    in_parts("circleci", "circleci-signature"),
    Vendor(
        "stripe",
        Hmac(
            header="Stripe-Signature",
            parts="v1",
            content="{part:t}.{body}",
            window=Window(timestamp="part:t"),
        ),
        stripe,
        window=300,
        proof=("Stripe-Signature",),
    ),
    Vendor(
        "slack",
        Hmac(
            header="X-Slack-Signature",
            prefix="v0=",
            content="v0:{header:X-Slack-Request-Timestamp}:{body}",
            window=Window(timestamp="header:X-Slack-Request-Timestamp"),
        ),
        slack,
        window=300,
        proof=("X-Slack-Signature", "X-Slack-Request-Timestamp"),
    ),
    Vendor(
        "zoom",
        Hmac(
            header="x-zm-signature",
            prefix="v0=",
            content="v0:{timestamp}:{body}",
            window=Window(timestamp="header:x-zm-request-timestamp"),
        ),
        zoom,
        window=300,
        proof=("x-zm-signature", "x-zm-request-timestamp"),
    ),
    Vendor(
        "standard_webhooks",
        StandardWebhooks(),
        standard("webhook-"),
        WHSEC,
        OTHER_WHSEC,
        window=300,
        proof=("webhook-id", "webhook-timestamp", "webhook-signature"),
    ),
    Vendor(
        "svix",
        StandardWebhooks(header_prefix="svix-"),
        standard("svix-"),
        WHSEC,
        OTHER_WHSEC,
        window=300,
        proof=("svix-id", "svix-timestamp", "svix-signature"),
    ),
    Vendor(
        "twilio",
        TwilioForm(),
        twilio,
        body=b"Body=hello&From=15551230000&MessageSid=SM1",
        other_body=b"Body=hullo&From=15551230000&MessageSid=SM1",
        proof=("X-Twilio-Signature",),
    ),
    Vendor("twilio_json", TwilioForm(), twilio_json, proof=("X-Twilio-Signature",)),
    Vendor(
        "trello",
        Hmac(
            header="X-Trello-Webhook",
            algorithm="sha1",
            encoding="base64",
            content="{body}{url}",
        ),
        trello,
        proof=("X-Trello-Webhook",),
    ),
    Vendor(
        "mailgun",
        Hmac(
            place="body:signature.signature",
            content="{timestamp}{body:signature.token}",
            window=Window(timestamp="body:signature.timestamp"),
        ),
        mailgun,
        window=300,
        covers_body=False,
    ),
    Vendor(
        "hubspot_v1",
        SecretHash(header="X-HubSpot-Signature", content="{secret}{body}"),
        hubspot_v1,
        proof=("X-HubSpot-Signature",),
    ),
    Vendor(
        "hubspot_v2",
        SecretHash(header="X-HubSpot-Signature", content="{secret}{method}{url}{body}"),
        hubspot_v2,
        proof=("X-HubSpot-Signature",),
    ),
    Vendor(
        "hubspot_v3",
        Hmac(
            header="X-HubSpot-Signature-v3",
            encoding="base64",
            content="{method}{decoded_url}{body}{timestamp}",
            window=Window(timestamp="header:X-HubSpot-Request-Timestamp", unit="ms"),
        ),
        hubspot_v3,
        window=300,
        proof=("X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp"),
    ),
    Vendor(
        "linear",
        Hmac(
            header="Linear-Signature",
            window=Window(timestamp="body:webhookTimestamp", unit="ms", tolerance=60),
        ),
        linear,
        window=60,
        proof=("Linear-Signature",),
    ),
    Vendor(
        "grafana",
        Hmac(
            header="X-Grafana-Alerting-Signature",
            content="{timestamp}:{body}",
            window=Window(timestamp="header:X-Grafana-Alerting-Timestamp"),
        ),
        grafana,
        window=300,
        proof=("X-Grafana-Alerting-Signature", "X-Grafana-Alerting-Timestamp"),
    ),
    Vendor(
        "teams",
        Hmac(header="Authorization", prefix="HMAC ", encoding="base64", secret_encoding="base64"),
        teams,
        B64_SECRET,
        OTHER_B64_SECRET,
        proof=("Authorization",),
    ),
    Vendor(
        "airtable",
        Hmac(header="X-Airtable-Content-MAC", prefix="hmac-sha256=", secret_encoding="base64"),
        airtable,
        B64_SECRET,
        OTHER_B64_SECRET,
        proof=("X-Airtable-Content-MAC",),
    ),
    Vendor(
        "gitlab",
        StaticToken(header="X-Gitlab-Token"),
        token("X-Gitlab-Token"),
        covers_body=False,
        proof=("X-Gitlab-Token",),
    ),
    Vendor(
        "telegram",
        StaticToken(header="X-Telegram-Bot-Api-Secret-Token"),
        token("X-Telegram-Bot-Api-Secret-Token"),
        covers_body=False,
        proof=("X-Telegram-Bot-Api-Secret-Token",),
    ),
    Vendor(
        "bearer",
        StaticToken(header="Authorization", prefix="Bearer "),
        token("Authorization", "Bearer "),
        covers_body=False,
        proof=("Authorization",),
    ),
    Vendor("mattermost", StaticToken(place="body:token"), mattermost, covers_body=False),
    Vendor("graph", StaticToken(place="body:value.*.clientState"), graph, covers_body=False),
    Vendor(
        "azure_devops",
        BasicCredentials(),
        basic,
        PASSWORD,
        OTHER_PASSWORD,
        covers_body=False,
        proof=("Authorization",),
    ),
    Vendor(
        "discord",
        Ed25519(
            header="X-Signature-Ed25519",
            content="{timestamp}{body}",
            window=Window(timestamp="header:X-Signature-Timestamp"),
        ),
        discord,
        {"public_key": discord_public(1)},
        {"public_key": discord_public(2)},
        window=300,
        proof=("X-Signature-Ed25519", "X-Signature-Timestamp"),
    ),
    Vendor(
        "sendgrid",
        Ecdsa(
            header="X-Twilio-Email-Event-Webhook-Signature",
            content="{timestamp}{body}",
            window=Window(timestamp="header:X-Twilio-Email-Event-Webhook-Timestamp"),
        ),
        sendgrid,
        {"public_key": sendgrid_public(1)},
        {"public_key": sendgrid_public(2)},
        window=300,
        proof=(
            "X-Twilio-Email-Event-Webhook-Signature",
            "X-Twilio-Email-Event-Webhook-Timestamp",
        ),
    ),
    Vendor(
        "google",
        Jwt(
            jwks_url=GOOGLE_KEYS,
            algorithms=("RS256",),
            issuers=("https://accounts.google.com", "accounts.google.com"),
            claims={"email": "service_account"},
        ),
        google,
        {"audience": "jackfield", "service_account": "push@project.iam.gserviceaccount.com"},
        {"audience": "jackfield", "service_account": "other@project.iam.gserviceaccount.com"},
        window=3600 + 60,
        covers_body=False,
        proof=("Authorization",),
        documents={
            GOOGLE_KEYS: json.dumps({"keys": [google_key().as_dict(private=False)]}).encode()
        },
    ),
    Vendor(
        "jwt_es256",
        Jwt(
            place="header:X-Token",
            prefix="",
            algorithms=("ES256",),
            jwks_field="jwks",
            issuers=("issuer.test",),
            audience_is_url=True,
        ),
        jwt_es256,
        {"jwks": "https://issuer.test/keys", "kid": "e1"},
        {"jwks": "https://issuer.test/keys", "kid": "e2"},
        window=120,
        covers_body=False,
        proof=("X-Token",),
        documents={
            "https://issuer.test/keys": json.dumps(
                {"keys": [ec_key().as_dict(private=False)]}
            ).encode()
        },
    ),
    Vendor(
        "jwt_hs256",
        Jwt(
            algorithms=("HS256",),
            issuers=("issuer.test",),
            fields=Jwt(jwks_url=GOOGLE_KEYS).fields + Hmac(header="X").fields,
        ),
        jwt_hs256,
        {"audience": "jackfield", "webhook_secret": SECRET},
        {"audience": "jackfield", "webhook_secret": "somebody else's secret"},
        window=120,
        covers_body=False,
        proof=("Authorization",),
    ),
    Vendor(
        "sns",
        SnsCertificate(),
        sns,
        {"topic_arn": TOPIC},
        {"topic_arn": TOPIC.replace("builds", "others")},
        window=3600,
        documents={SNS_CERTIFICATE: pem("sns.amazonaws.com")},
    ),
    Vendor(
        "mutual_tls",
        ClientCertificate(),
        mutual_tls,
        {"client_certificate": certificate("client").fingerprint(hashes.SHA256()).hex()},
        {
            "client_certificate": certificate("client").fingerprint(hashes.SHA256()).hex(),
            "name": "other",
        },
        covers_body=False,
        proof=("X-SSL-Client-Cert",),
    ),
)

ADDRESSES = Addresses(networks=("203.0.113.0/24", "2001:db8::/32"))
