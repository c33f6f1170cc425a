from pathlib import Path

import pytest
import typer

from jackfield_cli.values import configuration_from, object_from, secrets_from


def test_configuration_takes_json_where_it_is_json() -> None:
    given = ("repo=acme/shop", "limit=5", "on=true", 'tags=["a"]', "text=1.2.3", "empty=", "eq=a=b")
    assert configuration_from(given) == {
        "repo": "acme/shop",
        "limit": 5,
        "on": True,
        "tags": ["a"],
        "text": "1.2.3",
        "empty": "",
        "eq": "a=b",
    }


def test_a_secret_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("two\nlines\n")
    assert secrets_from(("token=123", f"key=@{file}")) == {"token": "123", "key": "two\nlines"}


def test_a_secret_can_be_asked_for_without_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append((text, hide_input))
        return "typed"

    monkeypatch.setattr(typer, "prompt", prompt)
    assert secrets_from(("token=-",)) == {"token": "typed"}
    assert asked == [("token", True)]


@pytest.mark.parametrize("pair", ["token", "=value", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(typer.BadParameter):
        secrets_from((pair,))


def test_a_refusal_does_not_quote_what_may_be_a_secret(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        secrets_from((f"token=@{tmp_path}/nowhere",))
    assert "nowhere" in str(raised.value)


@pytest.mark.parametrize("text", ["[1]", "1", '"x"', "{", "null"])
def test_an_input_is_a_json_object(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        object_from(text)


def test_an_input_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "input.json"
    file.write_text('{"text": "hello"}')
    assert object_from(f"@{file}") == {"text": "hello"}
