"""A folder is a connector; a broken one is told with file and line, and harms no other."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jackfield_connectors.discovery import discover

GOOD = """
from jackfield_common.connector.auth import Bearer
from jackfield_common.connector.declaration import Connector, get
from jackfield_common.connector.fields import NoInput, NoOutput
from jackfield_common.connector.manifest import Category

connector = Connector(
    slug="{slug}",
    title="Good",
    description="A good one.",
    category=Category.CUSTOM,
    docs="https://example.com",
    version="1.0.0",
    base_url="https://api.example.com",
    auth=(Bearer(),),
    test=get("test_connection", "/me", NoInput, returns=NoOutput),
)
"""


def folder(root: Path, slug: str, source: str) -> Path:
    """A connector's folder with this declaration."""
    place = root / slug
    place.mkdir(parents=True)
    (place / "connector.py").write_text(source)
    (place / "README.md").write_text("# Good\n")
    (place / "icon.svg").write_text("<svg/>")
    return place


@pytest.fixture(autouse=True)
def _forget_modules() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("jackfield_connectors.catalog."):
            del sys.modules[name]


def test_a_folder_outside_the_tree_is_found(tmp_path: Path) -> None:
    folder(tmp_path, "outside_one", GOOD.format(slug="outside_one"))
    (tmp_path / "no_connector").mkdir()
    found = discover((tmp_path,))
    assert list(found.connectors) == ["outside_one"]
    assert found.broken == ()
    assert found.connectors["outside_one"].manifest.readme == "# Good\n"


WRONG: list[tuple[str, str, int | None, str]] = [
    ("syntax", "connector = (\n", 1, "SyntaxError"),
    ("name_error", "\n\nconnector = Connektor()\n", 3, "NameError"),
    ("no_connector", "x = 1\n", None, "connector = Connector"),
    ("other_slug", GOOD.format(slug="something_else"), None, "not the folder's name"),
    ("wrong_field", GOOD.format(slug="wrong_field").replace("title=", "tittle="), 7, "tittle"),
    ("no_version", GOOD.format(slug="no_version").replace("1.0.0", "one"), 7, "version"),
    (
        "no_such_field",
        GOOD.format(slug="no_such_field").replace('"/me"', '"/users/{user}"'),
        16,
        "no such field",
    ),
]


@pytest.mark.parametrize(
    ("slug", "source", "line", "reason"), [pytest.param(*one, id=one[0]) for one in WRONG]
)
def test_a_broken_folder_is_told_with_its_place_and_the_others_are_loaded(
    tmp_path: Path, slug: str, source: str, line: int | None, reason: str
) -> None:
    folder(tmp_path, slug, source)
    folder(tmp_path, "zz_good", GOOD.format(slug="zz_good"))
    found = discover((tmp_path,))
    assert list(found.connectors) == ["zz_good"]
    (broken,) = found.broken
    assert broken.file == tmp_path / slug / "connector.py"
    assert reason in broken.message
    if line is not None:
        assert broken.line == line
        assert str(broken).startswith(f"{broken.file}:{line}: ")


def test_a_fixture_that_is_not_json_is_told_with_its_line(tmp_path: Path) -> None:
    place = folder(tmp_path, "bad_fixture", GOOD.format(slug="bad_fixture"))
    fixtures = place / "fixtures" / "webhooks"
    fixtures.mkdir(parents=True)
    (fixtures / "push.json").write_text('{\n  "name": oops\n}')
    (broken,) = discover((tmp_path,)).broken
    assert (broken.file, broken.line) == (fixtures / "push.json", 2)


def test_a_sample_written_as_json_is_sent_as_the_vendor_would(tmp_path: Path) -> None:
    place = folder(tmp_path, "json_body", GOOD.format(slug="json_body"))
    fixtures = place / "fixtures" / "webhooks"
    fixtures.mkdir(parents=True)
    sample = {
        "name": "n",
        "headers": {},
        "event_type": "e",
        "source": "s",
        "body": {"ü": [1, None]},
    }
    (fixtures / "one.json").write_text(json.dumps(sample))
    (one,) = discover((tmp_path,)).connectors["json_body"].manifest.samples
    assert one.body == '{"ü":[1,null]}'


@pytest.mark.parametrize("missing", ["README.md", "icon.svg"])
def test_what_belongs_beside_a_declaration_is_asked_for(tmp_path: Path, missing: str) -> None:
    place = folder(tmp_path, "lonely", GOOD.format(slug="lonely"))
    (place / missing).unlink()
    (broken,) = discover((tmp_path,)).broken
    assert (broken.file.name, broken.message) == (missing, "it is missing")


def test_of_two_with_one_slug_the_first_wins(tmp_path: Path) -> None:
    folder(tmp_path / "a", "twice", GOOD.format(slug="twice"))
    folder(tmp_path / "b", "twice", GOOD.format(slug="twice"))
    found = discover((tmp_path / "a", tmp_path / "b"))
    assert found.connectors["twice"].folder == tmp_path / "a" / "twice"
    assert [broken.folder for broken in found.broken] == [tmp_path / "b" / "twice"]
