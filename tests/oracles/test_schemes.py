"""Every vendor's requests: what is theirs is accepted, what is not quite theirs is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import JsonValue

from jackfield_common.connector.verification import Choice, Configured, Hmac, StaticToken
from jackfield_gateway.edge.reasons import Reason
from jackfield_gateway.edge.schemes.verifier import Unusable, Verifier
from tests.oracles.requests import PROXY, SENDER, Documents, Sent, verdict, verifier_for
from tests.oracles.vendors import ADDRESSES, BODY, JSON, NOW, SECRET, VENDORS, Vendor, pem, token

REFUSED = {
    Reason.MISSING,
    Reason.MALFORMED,
    Reason.REPEATED,
    Reason.SIGNATURE,
    Reason.STALE,
    Reason.KEYS,
}


def each(where: Callable[[Vendor], bool] = lambda vendor: True) -> pytest.MarkDecorator:
    chosen = [vendor for vendor in VENDORS if where(vendor)]
    return pytest.mark.parametrize("vendor", chosen, ids=[one.name for one in chosen])


each_vendor = each()


def verifier(vendor: Vendor) -> Verifier:
    return verifier_for(
        vendor.verify,
        vendor.secrets,
        documents=Documents(vendor.documents),
        config=vendor.config,
    )


def sent_by(vendor: Vendor) -> Sent:
    return vendor.sign(vendor.secrets, vendor.body, NOW)


@each_vendor
def test_a_request_of_the_vendor_is_accepted(vendor: Vendor) -> None:
    assert verdict(verifier(vendor), sent_by(vendor), NOW) is None


@each_vendor
def test_one_signed_with_another_secret_is_not(vendor: Vendor) -> None:
    sent = vendor.sign(vendor.others, vendor.body, NOW)
    assert verdict(verifier(vendor), sent, NOW) in REFUSED


@each(lambda one: one.others.keys() == one.secrets.keys() and "kid" not in one.secrets)
def test_either_of_two_live_secrets_will_do(vendor: Vendor) -> None:
    both = {name: (vendor.others[name], value) for name, value in vendor.secrets.items()}
    rotating = verifier_for(
        vendor.verify, both, documents=Documents(vendor.documents), config=vendor.config
    )
    for secrets in (vendor.secrets, vendor.others):
        assert verdict(rotating, vendor.sign(secrets, vendor.body, NOW), NOW) is None


@each(lambda one: one.covers_body)
def test_a_changed_body_is_not(vendor: Vendor) -> None:
    sent = sent_by(vendor)
    if sent.body == vendor.body:
        changed = replace(sent, body=vendor.other_body)
    else:
        changed = replace(sent, body=sent.body.replace(b"plain", b"other"))
    assert changed.body != sent.body
    assert verdict(verifier(vendor), changed, NOW) in REFUSED
    assert verdict(verifier(vendor), replace(sent, body=sent.body[:-1]), NOW) in REFUSED
    assert verdict(verifier(vendor), replace(sent, body=b""), NOW) in REFUSED


@each_vendor
def test_a_missing_changed_cut_or_repeated_header_is_not(vendor: Vendor) -> None:
    sent, judge = sent_by(vendor), verifier(vendor)
    for name in vendor.proof:
        value = sent.header(name)
        assert verdict(judge, sent.with_header(name, None), NOW) is Reason.MISSING
        wrong = {
            "empty": "",
            "cut": value[:-1],
            "longer": value + "0",
            "quoted": f'"{value}"',
            "upside down": value[::-1],
            "changed": value[:-2] + ("a" if value[-2] != "a" else "b") + value[-1],
        }
        for how, other in wrong.items():
            refused = verdict(judge, sent.with_header(name, other), NOW)
            assert refused in REFUSED, (name, how)
        twice = replace(sent, headers=(*sent.headers, (name, value)))
        assert verdict(judge, twice, NOW) is Reason.REPEATED
        again = replace(sent, headers=((name.lower(), "other"), *sent.headers))
        assert verdict(judge, again, NOW) is Reason.REPEATED


@each_vendor
def test_another_encoding_of_the_same_proof_is_not(vendor: Vendor) -> None:
    sent, judge = sent_by(vendor), verifier(vendor)
    for name in vendor.proof:
        value = sent.header(name)
        for other in (value.upper(), value.lower(), value + "=", " ".join(value), value + "%20"):
            if other != value:
                assert verdict(judge, sent.with_header(name, other), NOW) in REFUSED, other


@each(lambda one: one.window is not None)
def test_one_that_is_too_old_or_from_the_future_is_not(vendor: Vendor) -> None:
    assert vendor.window is not None
    sent, judge = sent_by(vendor), verifier(vendor)
    assert verdict(judge, sent, NOW + vendor.window - 1) is None
    assert verdict(judge, sent, NOW + vendor.window + 1) is Reason.STALE
    assert verdict(judge, sent, NOW - 2 * vendor.window) is Reason.STALE


@each_vendor
def test_without_a_secret_nothing_is_accepted(vendor: Vendor) -> None:
    for secrets in ({}, dict.fromkeys(vendor.secrets, "")):
        with pytest.raises(Unusable):
            verifier_for(vendor.verify, secrets, documents=Documents(vendor.documents))


@each_vendor
def test_an_empty_request_is_not(vendor: Vendor) -> None:
    assert verdict(verifier(vendor), Sent(b"", ()), NOW) in REFUSED


@each_vendor
def test_what_is_said_to_be_expected_names_no_secret(vendor: Vendor) -> None:
    expected = verifier(vendor).expected
    assert expected
    for name in ("webhook_secret", "topic_arn", "client_certificate"):
        if name in vendor.secrets:
            assert vendor.secrets[name] not in expected


@pytest.mark.parametrize(
    ("peer", "accepted"),
    [(SENDER, True), ("198.51.100.1", False), ("2001:db8::9", True), ("::ffff:203.0.113.9", True),
     ("2001:db9::9", False), ("", False)],
)  # fmt: skip
def test_a_network_can_be_all_the_proof(peer: str, accepted: bool) -> None:
    reason = verdict(verifier_for(ADDRESSES, {}), Sent(BODY, (JSON,), peer=peer), NOW)
    assert reason is (None if accepted else Reason.ADDRESS)


def test_a_forwarded_certificate_counts_only_from_a_trusted_proxy() -> None:
    vendor = next(one for one in VENDORS if one.name == "mutual_tls")
    sent = sent_by(vendor)
    assert sent.peer == PROXY
    assert verdict(verifier(vendor), replace(sent, peer=SENDER), NOW) is Reason.MISSING


def test_a_certificate_may_be_known_by_who_issued_it() -> None:
    vendor = next(one for one in VENDORS if one.name == "mutual_tls")
    authority = verifier_for(vendor.verify, {"client_certificate": pem("authority").decode()})
    assert verdict(authority, vendor.sign({"name": "anybody"}, BODY, NOW), NOW) is None
    stranger = verifier_for(vendor.verify, {"client_certificate": pem("stranger").decode()})
    refused = verdict(stranger, vendor.sign({"name": "anybody"}, BODY, NOW), NOW)
    assert refused is Reason.SIGNATURE


def test_one_of_several_schemes_is_chosen_and_nothing_falls_back() -> None:
    choice = Choice(
        config="verification",
        default="hmac",
        of={
            "hmac": Hmac(header="X-Hub-Signature-256", prefix="sha256="),
            "token": StaticToken(header="X-Gitlab-Token"),
        },
    )
    secrets = {"webhook_secret": SECRET}
    sent = token("X-Gitlab-Token")(secrets, BODY, NOW)
    assert verdict(verifier_for(choice, secrets), sent, NOW) is Reason.MISSING
    by_token = verifier_for(choice, secrets, config={"verification": "token"})
    assert verdict(by_token, sent, NOW) is None
    with pytest.raises(Unusable):
        verifier_for(choice, secrets, config={"verification": "none"})


def test_an_installation_may_bring_the_scheme_itself() -> None:
    configured = Configured(default=Hmac(header="X-Signature"))
    secrets = {"webhook_secret": SECRET}
    own = verifier_for(
        configured,
        secrets,
        config={"verification": {"kind": "token", "header": "X-Gitlab-Token"}},
    )
    assert verdict(own, token("X-Gitlab-Token")(secrets, BODY, NOW), NOW) is None
    refused: tuple[JsonValue, ...] = (
        {"kind": "none"},
        {"kind": "hmac"},
        "none",
        {"kind": "configured"},
    )
    for wrong in refused:
        with pytest.raises(Unusable):
            verifier_for(configured, secrets, config={"verification": wrong})
