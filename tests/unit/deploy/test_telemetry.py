"""Dashboards and alerts look at metrics that exist."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SUFFIXES = ("_total", "_bucket", "_sum", "_count")


def exported() -> set[str]:
    """Every metric name that stands in the code, and what the exposition makes of it."""
    names: set[str] = set()
    for folder in (ROOT / "libs", ROOT / "services"):
        for module in folder.rglob("*.py"):
            names |= set(re.findall(r'"(jackfield_[a-z_]+)"', module.read_text("utf-8")))
    return names | {name + suffix for name in names for suffix in SUFFIXES}


def expressions() -> list[str]:
    dashboard = json.loads((ROOT / "deploy/grafana/dashboards/jackfield.json").read_text("utf-8"))
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8"))
    return [
        *(target["expr"] for panel in dashboard["panels"] for target in panel["targets"]),
        *(rule["expr"] for group in alerts["groups"] for rule in group["rules"]),
    ]


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_that_is_looked_at_exists(expression: str) -> None:
    named = set(re.findall(r"jackfield_[a-z_]+", expression))
    assert named <= exported()


def test_every_alert_says_what_is_wrong_and_where_to_look() -> None:
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text("utf-8"))
    for group in alerts["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert set(rule["annotations"]) == {"summary", "look"}
