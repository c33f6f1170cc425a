"""The command as a user types it, where nothing runs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jackfield_cli.exits import Exit
from jackfield_cli.main import app

COMMANDS = tuple(
    each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "state"
    monkeypatch.setenv("JACKFIELD_STATE_DIR", str(directory))
    return directory


def jackfield(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = jackfield(command, "--help")
    assert result.exit_code == Exit.OK
    assert "Examples" in result.output
    assert f"jackfield {command}" in result.output


def test_help_documents_every_exit_status() -> None:
    result = jackfield("--help")
    for status in Exit:
        assert f"{int(status)} " in result.output.split("Exit status:")[1]


def test_what_is_no_command_is_wrong_usage(state: Path) -> None:
    assert jackfield("fly").exit_code == Exit.USAGE
    assert jackfield("up", "--port-offset", "far").exit_code == Exit.USAGE


def test_status_where_nothing_runs(state: Path) -> None:
    result = jackfield("status", "--json")
    assert result.exit_code == Exit.NOT_RUNNING
    assert json.loads(result.stdout) == {"running": False}
    result = jackfield("status")
    assert result.exit_code == Exit.NOT_RUNNING
    assert "jackfield up" in result.stderr
    assert not state.exists(), "asking changes nothing"


def test_down_where_nothing_runs(state: Path) -> None:
    result = jackfield("down")
    assert result.exit_code == Exit.NOT_RUNNING


def test_env_before_the_first_run(state: Path) -> None:
    result = jackfield("env")
    assert result.exit_code != Exit.OK
    assert result.stdout == ""


def test_logs_before_the_first_run_and_of_nobody(state: Path) -> None:
    assert "none yet" in jackfield("logs").stderr
    (state / "logs").mkdir(parents=True)
    (state / "logs" / "kafka.log").write_text("one\ntwo\nthree\n")
    result = jackfield("logs", "nobody")
    assert result.exit_code == Exit.FAILED
    assert "There is: kafka" in result.stderr
    assert jackfield("logs", "kafka", "-n", "2").stdout == "two\nthree\n"


def test_doctor_looks_at_everything_and_changes_nothing(state: Path) -> None:
    result = jackfield("doctor", "--json")
    findings = {each["check"]: each for each in json.loads(result.stdout)}
    expected = {"python", "packages", "disk", "java", "kafka", "postgres", "account", "ports"}
    assert expected | {"leftovers", "api key"} == set(findings)
    assert findings["java"]["verdict"] == "ok"
    assert findings["postgres"]["verdict"] == "ok"
    assert not state.exists()


def test_doctor_sees_a_key_that_others_can_read(state: Path) -> None:
    state.mkdir()
    key = state / "api-key"
    key.write_text("jf_secret")
    key.chmod(0o644)
    result = jackfield("doctor", "--json")
    finding = next(each for each in json.loads(result.stdout) if each["check"] == "api key")
    assert result.exit_code == Exit.CHECK_FAILED
    assert finding["verdict"] == "bad"
    assert finding["remedy"].startswith("chmod 600")
    assert "jf_secret" not in result.output
