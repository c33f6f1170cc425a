"""Webhook samples: recognised by their selectors, declared, and readable in the shared vocabulary."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from jackfield_common.connector.manifest import WebhookSample
from jackfield_common.connector.selector import Request, compile_selector
from jackfield_common.connector.webhook import Webhook
from jackfield_common.events.integration_event import Occurrence
from jackfield_connectors.discovery import Loaded
from tests.conformance.driver import CONNECTORS

SAMPLES = [
    pytest.param(loaded, sample, id=f"{loaded.connector.slug}-{sample.name}")
    for loaded in CONNECTORS
    for sample in loaded.manifest.samples
]
every_sample = pytest.mark.parametrize(("loaded", "sample"), SAMPLES)
every_source = pytest.mark.parametrize(
    "loaded",
    [one for one in CONNECTORS if one.manifest.webhook is not None],
    ids=lambda one: one.connector.slug,
)


def _webhook(loaded: Loaded) -> Webhook:
    assert loaded.manifest.webhook is not None, "samples without a webhook"
    return loaded.manifest.webhook


def _request(sample: WebhookSample) -> Request:
    headers = {name.lower(): value for name, value in sample.headers.items()}
    body: Any
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = {name: values[0] for name, values in parse_qs(sample.body).items()}
        body = json.loads(form["payload"]) if "payload" in form else form
    else:
        body = json.loads(sample.body)
    return Request(headers=headers, body=body, query={})


@every_source
def test_a_source_has_samples(loaded: Loaded) -> None:
    assert loaded.manifest.samples, "give it a request in fixtures/webhooks/"


@every_source
def test_occurrences_use_the_shared_fields(loaded: Loaded) -> None:
    for name, mapping in _webhook(loaded).events.items():
        assert set(mapping.occurrence) <= set(Occurrence.model_fields), name
        assert not mapping.states or "state" in mapping.occurrence, name


@every_sample
def test_a_sample_has_its_type_and_the_type_is_declared(
    loaded: Loaded, sample: WebhookSample
) -> None:
    webhook = _webhook(loaded)
    assert compile_selector(webhook.event_type).of(_request(sample)) == sample.event_type
    generic = "*" in webhook.events
    assert generic or webhook.mapping(sample.event_type) is not None, "an event nobody declared"


@every_sample
def test_a_sample_has_an_id_and_an_order_where_they_are_declared(
    loaded: Loaded, sample: WebhookSample
) -> None:
    webhook, request = _webhook(loaded), _request(sample)
    if webhook.delivery_id is not None:
        assert compile_selector(webhook.delivery_id).of(request)


@every_sample
def test_a_sample_reads_in_the_shared_vocabulary(loaded: Loaded, sample: WebhookSample) -> None:
    mapping = _webhook(loaded).mapping(sample.event_type)
    if mapping is None or not mapping.occurrence:
        return
    request = _request(sample)
    found = {
        name: compile_selector(selector).of(request)
        for name, selector in mapping.occurrence.items()
    }
    present = {name: value for name, value in found.items() if value is not None}
    assert present, "nothing of the occurrence is in the sample"
    occurrence = Occurrence(**present)
    if mapping.canonical is not None:
        assert occurrence.url or occurrence.title or occurrence.description or occurrence.actor


@every_sample
def test_a_sample_says_where_it_is_from(loaded: Loaded, sample: WebhookSample) -> None:
    assert sample.source, loaded.connector.slug
    assert not any("signature" in name.lower() for name in sample.headers), "signatures age"
