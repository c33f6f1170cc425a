"""docker-compose.yml and the Dockerfile fit each other and the services' settings."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jackfield_certification.settings import CertificationSettings
from jackfield_common.settings import Settings
from jackfield_connectors.settings import ConnectorsSettings
from jackfield_gateway.settings import GatewaySettings
from jackfield_oauth.settings import OauthSettings
from jackfield_webhooks.settings import WebhooksSettings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")
SETTINGS: dict[str, type[Settings]] = {
    "gateway": GatewaySettings,
    "oauth": OauthSettings,
    "webhooks": WebhooksSettings,
    "connectors": ConnectorsSettings,
    "certification": CertificationSettings,
}


def stage(name: str) -> str:
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
    assert found, f"the Dockerfile has no target {name}"
    return found[1]


def stage_environment(name: str) -> set[str]:
    return set(re.findall(r"(JACKFIELD_[A-Z_]+)=", stage("base") + stage(name)))


def flat(settings: type[BaseModel]) -> dict[str, FieldInfo]:
    """Every setting by the name that the environment has for it, nested ones joined by `_`."""
    found: dict[str, FieldInfo] = {}
    for name, field in settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= {f"{name}_{inner}": one for inner, one in flat(field.annotation).items()}
        else:
            found[name] = field
    return found


@pytest.mark.parametrize("service", SETTINGS)
def test_every_variable_is_a_setting_and_every_required_setting_is_there(service: str) -> None:
    fields = flat(SETTINGS[service])
    given = set(COMPOSE["services"][service]["environment"]) | stage_environment(service)
    named = {name.removeprefix("JACKFIELD_").lower() for name in given}
    assert named <= set(fields), f"{service} has no setting {named - set(fields)}"
    required = {name for name, field in fields.items() if field.is_required()}
    assert required <= named, f"{service} is not given {required - named}"


@pytest.mark.parametrize("service", SETTINGS)
def test_a_service_runs_its_own_image_hardened(service: str) -> None:
    definition = COMPOSE["services"][service]
    assert definition["build"]["target"] == service
    assert definition["read_only"] is True
    assert definition["cap_drop"] == ["ALL"]
    text = stage(service)
    assert "USER 10001:10001" in text
    assert f'ENTRYPOINT ["python", "-m", "jackfield_{service}"]' in text


def test_services_start_after_what_they_need() -> None:
    for service in SETTINGS:
        after = COMPOSE["services"][service]["depends_on"]
        assert after["kafka"] == {"condition": "service_healthy"}
        assert after["postgres"] == {"condition": "service_healthy"}
        assert after["prepare"] == {"condition": "service_completed_successfully"}
    assert "gateway" in COMPOSE["services"]["certification"]["depends_on"]


def test_dependencies_form_no_circle_and_are_all_defined() -> None:
    services = COMPOSE["services"]

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"circle: {path}"
        for dependency in services[name].get("depends_on", {}):
            assert dependency in services
            visit(dependency, (*path, name))

    for name in services:
        visit(name, ())


def test_what_a_service_waits_for_has_a_health_check() -> None:
    services = COMPOSE["services"]
    for name, definition in services.items():
        for dependency, how in definition.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                own = "healthcheck" in services[dependency] or dependency in SETTINGS
                assert own, f"{name} waits for {dependency}, which has no health check"


def test_every_mounted_file_and_named_volume_exists() -> None:
    for name, definition in COMPOSE["services"].items():
        for volume in definition.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name} mounts {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name} uses the volume {source}"


def test_nothing_is_published_beyond_loopback_and_no_password_has_a_default() -> None:
    for definition in COMPOSE["services"].values():
        for port in definition.get("ports", []):
            assert port.startswith("127.0.0.1:")
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    for reference in re.findall(r"\$\{[^}]*PASSWORD[^}]*\}", text):
        assert ":?" in reference, f"{reference} would be empty without .env"
    made = (ROOT / "deploy/secrets.sh").read_text("utf-8")
    for name in set(re.findall(r"\$\{([A-Z_]+)_PASSWORD", text)):
        assert name in made, f"deploy/secrets.sh does not make {name}_PASSWORD"


def test_telemetry_scrapes_every_service() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yaml").read_text("utf-8"))
    (job,) = prometheus["scrape_configs"]
    (group,) = job["static_configs"]
    assert {target.split(":")[0] for target in group["targets"]} == set(SETTINGS)
    for file in (ROOT / "deploy").rglob("*.yaml"):
        assert yaml.safe_load(file.read_text("utf-8")), file
