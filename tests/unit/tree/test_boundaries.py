"""The tree keeps its rules: services are strangers, common knows nobody, catalog folders are islands."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVICES = ("gateway", "oauth", "webhooks", "connectors", "certification")
CATALOG = ROOT / "services/connectors/src/jackfield_connectors/catalog"


WORDS = {"http", "linear", "webhook"}
"""Slugs that are words of the language before they are vendors."""


def packages_imported_by(path: Path) -> set[str]:
    """The full dotted names that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def modules_below(folder: Path) -> list[Path]:
    modules = sorted(folder.rglob("*.py"))
    assert modules, f"{folder} holds no code"
    return modules


def strangers(folder: Path, forbidden: tuple[str, ...]) -> list[str]:
    """`module: import` for every import below `folder` of a forbidden package."""
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules_below(folder)
        for name in sorted(packages_imported_by(path))
        if name.split(".")[0] in forbidden
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_no_other(service: str) -> None:
    others = tuple(f"jackfield_{other}" for other in SERVICES if other != service)
    assert strangers(ROOT / "services" / service, (*others, "jackfield_cli")) == []


def test_common_knows_no_service_and_no_web_framework() -> None:
    forbidden = (*(f"jackfield_{service}" for service in SERVICES), "jackfield_cli")
    assert strangers(ROOT / "libs/common", (*forbidden, "fastapi", "starlette", "uvicorn")) == []


def test_the_command_line_talks_to_services_as_anyone_would() -> None:
    assert strangers(ROOT / "libs/cli", tuple(f"jackfield_{service}" for service in SERVICES)) == []


def test_catalog_folders_are_islands() -> None:
    for folder in (path for path in CATALOG.iterdir() if (path / "connector.py").exists()):
        for module in modules_below(folder):
            for name in packages_imported_by(module):
                if name.startswith("jackfield_connectors.catalog."):
                    assert name.split(".")[2] == folder.name, f"{module} imports {name}"


@pytest.mark.parametrize("service", SERVICES)
def test_the_rules_of_a_service_know_no_transport(service: str) -> None:
    package = ROOT / f"services/{service}/src/jackfield_{service}"
    rules = [*package.glob("service.py"), *(package / "service").rglob("*.py")]
    for module in rules:
        known = {name.split(".")[0] for name in packages_imported_by(module)}
        assert not known & {"fastapi", "faststream", "aiokafka", "uvicorn"}, module


def test_only_the_catalog_names_a_vendor() -> None:
    """Vendors' names in code outside of their folder; what is listed says why, and may only shrink."""
    slugs = {path.name for path in CATALOG.iterdir() if (path / "connector.py").exists()}
    assert {"github", "slack"} <= slugs
    quoted = re.compile(f"""["']({"|".join(sorted(slugs - WORDS))})["']""")
    allowed = {
        "libs/cli/src/jackfield_cli/demo",  # the demo is about two vendors
        "libs/cli/src/jackfield_cli/commands/demo.py",
        "services/gateway/src/jackfield_gateway/models/",  # examples in the API's documentation
    }
    found = [
        str(path.relative_to(ROOT))
        for folder in (ROOT / "libs", ROOT / "services")
        for path in folder.rglob("*.py")
        if not path.is_relative_to(CATALOG) and quoted.search(path.read_text("utf-8"))
    ]
    assert [path for path in found if not any(path.startswith(one) for one in allowed)] == []


def test_nothing_committed_can_be_unfinished() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [
        str(path.relative_to(ROOT))
        for folder in (ROOT / "libs", ROOT / "services")
        for path in folder.rglob("*.py")
        if unfinished.search(path.read_text("utf-8"))
    ]
    assert found == []
