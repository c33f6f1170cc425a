"""Every connector is complete and consistent: what a reader, a form or the marketplace relies on."""

import ast
import re
from pathlib import Path

import pytest

from jackfield_common.connector.manifest import ActionManifest
from jackfield_connectors.discovery import Loaded
from tests.conformance.driver import CATALOGUE, CONNECTORS, actions

every_connector = pytest.mark.parametrize("loaded", CONNECTORS, ids=lambda one: one.connector.slug)
every_action = pytest.mark.parametrize(
    ("loaded", "action"),
    [pytest.param(*one, id=f"{one[0].connector.slug}.{one[1].name}") for one in actions()],
)


def test_no_folder_of_the_catalogue_is_broken() -> None:
    assert [str(broken) for broken in CATALOGUE.broken] == []


@every_connector
def test_it_says_what_it_is(loaded: Loaded) -> None:
    manifest = loaded.manifest
    assert manifest.title
    assert manifest.description.endswith(".")
    assert manifest.docs.startswith("https://")
    assert manifest.readme.startswith(f"# {manifest.title}")
    assert "## " in manifest.readme


@every_connector
def test_its_icon_is_a_drawing_and_nothing_else(loaded: Loaded) -> None:
    icon = loaded.manifest.icon
    assert icon.startswith("<svg ")
    assert 'viewBox="0 0 24 24"' in icon
    assert len(icon) < 4096
    assert not re.search(r"<(script|image|foreignObject|use|a)\b|\bon\w+=|href|url\(|<!", icon)


@every_connector
def test_its_templates_rest_on_what_it_declares(loaded: Loaded) -> None:
    manifest = loaded.manifest
    settings = manifest.config["properties"]
    assert isinstance(settings, dict)
    kinds = {auth.kind for auth in manifest.auth}
    names = [template.name for template in manifest.templates]
    assert len(names) == len(set(names))
    for template in manifest.templates:
        assert template.auth is None or template.auth in kinds
        assert set(template.default_config) <= set(settings)
        assert set(template.required_fields) <= set(settings)


@every_connector
def test_each_kind_of_sign_in_is_declared_once(loaded: Loaded) -> None:
    kinds = [auth.kind for auth in loaded.manifest.auth]
    assert len(kinds) == len(set(kinds))


@every_connector
def test_its_webhook_says_how_to_set_it_up(loaded: Loaded) -> None:
    webhook = loaded.manifest.webhook
    if webhook is not None:
        assert any("{url}" in step for step in webhook.setup)
        assert webhook.delivery_id is not None or webhook.ordering is not None or webhook.events


@every_action
def test_an_action_explains_itself(loaded: Loaded, action: ActionManifest) -> None:
    if action.name != loaded.manifest.test:
        assert action.description.strip(), "the input's docstring is the description"
    properties = action.input.get("properties", {})
    assert isinstance(properties, dict)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in properties)


@every_action
def test_an_action_names_credentials_that_exist(loaded: Loaded, action: ActionManifest) -> None:
    kinds = {auth.kind for auth in loaded.manifest.auth}
    assert set(action.auth) <= kinds
    assert set(action.http_by_auth) <= kinds


@every_action
def test_an_action_is_recorded(loaded: Loaded, action: ActionManifest) -> None:
    recorded = {exchange.action for exchange in loaded.manifest.exchanges}
    assert action.name in recorded, "give it a fixture in fixtures/exchanges/"


@every_connector
def test_its_folder_is_an_island(loaded: Loaded) -> None:
    own = f"jackfield_connectors.catalog.{loaded.connector.slug}"
    for file in loaded.folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            for name in names:
                if name.startswith("jackfield"):
                    allowed = (own, "jackfield_common.connector", "jackfield_common.errors")
                    assert name.startswith(allowed), f"{file.name} imports {name}"


def test_nothing_else_in_the_service_names_a_vendor() -> None:
    root = CONNECTORS[0].folder.parent.parent
    slugs = [one.connector.slug for one in CONNECTORS if one.connector.slug != "http"]
    for file in sorted(root.rglob("*.py")):
        if "catalog" in file.relative_to(root).parts:
            continue
        text = file.read_text("utf-8").lower()
        found = [slug for slug in slugs if re.search(rf"\b{slug}\b", text)]
        assert found == [], f"{Path(file).name} names {found}"
