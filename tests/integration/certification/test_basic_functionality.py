import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jackfield_certification.scoring import awarded
from jackfield_certification.service.examiner import CutOff
from jackfield_common.connector.manifest import Manifest
from jackfield_common.events.certification import Level
from tests.integration.certification.examination import examined, lost
from tests.integration.certification.product import API_KEY
from tests.integration.certification.shelf import document, manifest


async def test_a_sound_connector_passes_everything(tmp_path: Path) -> None:
    checks = await examined(manifest(), tmp_path)
    assert lost(checks) == set()
    assert [check.name for check in checks] == [
        "initialise",
        "sign_in_missing:bearer",
        "sign_in_accepted:bearer",
        "sign_in_refused:bearer",
        "test_connection",
        "action:create_item",
        "action:get_item",
        "action:list_items",
    ]
    assert awarded(checks, complete=True) == (100.0, Level.PLATINUM, "")


async def test_evidence_shows_the_exchange_and_no_secret(tmp_path: Path) -> None:
    checks = await examined(manifest(), tmp_path)
    created = next(check for check in checks if check.name == "action:create_item")
    calls = [item for item in created.evidence if item["kind"] == "vendor_call"]
    assert [(call["method"], call["path"], call["status"]) for call in calls] == [
        ("POST", "/v1/shelves/a%2Fb/items", 201)
    ]
    text = "".join(check.model_dump_json() for check in checks)
    assert "jfcert" not in text
    assert API_KEY not in text


def _wrong_path(connector: dict[str, Any]) -> None:
    connector["actions"][2]["http"]["path"] = "/shelf/{shelf}/items/{number}"


def _wrong_method(connector: dict[str, Any]) -> None:
    connector["actions"][1]["http"]["method"] = "PUT"


def _wrong_body(connector: dict[str, Any]) -> None:
    connector["actions"][1]["http"]["rename"] = {"title": "name"}


def _wrong_query(connector: dict[str, Any]) -> None:
    connector["actions"][3]["http"]["pages"] = {"kind": "link", "size_param": "page_size"}


def _wrong_output(connector: dict[str, Any]) -> None:
    connector["actions"][2]["http"]["result_path"] = "item"


def _nothing_recorded_and_wrong(connector: dict[str, Any]) -> None:
    del connector["exchanges"][2]
    connector["actions"][2]["auth"] = ["basic"]


def _wrong_test(connector: dict[str, Any]) -> None:
    connector["actions"][0]["http"]["query"] = ["verbose"]
    connector["actions"][0]["http"]["constants"] = {"verbose": True}


def _auth_error_unmapped(connector: dict[str, Any]) -> None:
    connector["errors"][0] = {"status": 401, "kind": "invalid"}


@pytest.mark.parametrize(
    ("sabotage", "loses"),
    [
        (_wrong_path, {"action:get_item"}),
        (_wrong_method, {"action:create_item"}),
        (_wrong_body, {"action:create_item"}),
        (_wrong_query, {"action:list_items"}),
        (_wrong_output, {"action:get_item"}),
        (_nothing_recorded_and_wrong, {"action:get_item"}),
        (_wrong_test, {"test_connection"}),
        (_auth_error_unmapped, {"sign_in_refused:bearer"}),
    ],
)
async def test_a_sabotaged_connector_loses_exactly_that_check(
    sabotage: Callable[[dict[str, Any]], None], loses: set[str], tmp_path: Path
) -> None:
    connector = copy.deepcopy(document())
    sabotage(connector)
    assert lost(await examined(Manifest.model_validate(connector), tmp_path)) == loses


@pytest.mark.parametrize(
    ("broken", "loses"),
    [
        ("forgets settings", {"initialise"}),
        ("calls strangers", set[str]()),
        ("swallows failures", {"sign_in_refused:bearer"}),
    ],
)
async def test_a_sabotaged_product_loses_that_check(
    broken: str, loses: set[str], tmp_path: Path
) -> None:
    assert lost(await examined(manifest(), tmp_path, broken)) >= loses


async def test_a_product_that_hangs_is_no_verdict_on_the_connector(tmp_path: Path) -> None:
    with pytest.raises(CutOff):
        await examined(manifest(), tmp_path, "hangs", check_seconds=2)


async def test_what_rests_on_the_connectors_own_word_is_no_more_than_bronze(tmp_path: Path) -> None:
    connector = document()
    for exchange in connector["exchanges"]:
        exchange["source"] = "written down by the author"
    checks = await examined(Manifest.model_validate(connector), tmp_path)
    score, level, reason = awarded(checks, complete=True)
    assert (score, level) == (100.0, Level.BRONZE)
    assert "own word" in reason
