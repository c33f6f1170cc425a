"""A report as a page to read: one HTML file without anything to load."""

import json
from html import escape
from itertools import groupby
from typing import Final

from jackfield_common.events.certification import Check, RunCompleted

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2330}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2rem 0 .4rem}
.level{display:inline-block;padding:.1rem .7rem;border-radius:1rem;background:#e8ebf0;font-weight:600}
.gold,.platinum{background:#f6e7b0}.silver{background:#dfe4ea}.bronze{background:#f0d9c4}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.35rem .6rem;
border-bottom:1px solid #e3e6eb}.passed td:first-child{color:#14713d}.failed td:first-child{color:#b3261e}
.not_applicable,.not_run{color:#6b7280}pre{font-size:12px;overflow:auto;background:#f6f7f9;padding:.6rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:1rem 0}dt{color:#6b7280}
dd{margin:0}summary{cursor:pointer;color:#3b5bdb}
"""
_WORDS: Final = {
    "passed": "passed",
    "failed": "failed",
    "not_applicable": "does not apply",
    "not_run": "not run",
}


def html(report: RunCompleted) -> str:
    """The report as an HTML document; evidence folds out. Everything in it is escaped."""
    suites = "".join(
        _suite(name, list(checks))
        for name, checks in groupby(report.checks, key=lambda check: check.suite)
    )
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in (
            ("Run", report.run_id),
            ("Integration", report.integration_id),
            ("Version", report.connector_version),
            ("Manifest", report.manifest_digest),
            ("Began", report.started_at.isoformat(timespec="seconds")),
            ("Ended", report.finished_at.isoformat(timespec="seconds")),
            ("Environment", json.dumps(report.environment)),
            ("Signed", "yes, by the certification service" if report.signature else "no"),
        )
        if value
    )
    state = "" if report.complete else " · <strong>incomplete</strong>"
    message = f"<p>{escape(report.message)}</p>" if report.message else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Certification of {escape(report.connector)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(report.connector)}</h1>"
        f'<p><span class="level {report.level}">{report.level}</span> {report.score:g} %{state}</p>'
        f"{message}<dl>{facts}</dl>{suites}</html>"
    )


def _suite(name: str, checks: list[Check]) -> str:
    rows = "".join(_row(check) for check in checks)
    return (
        f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2><table><tr><th>Result</th>"
        f"<th>Check</th><th>What was found</th><th>Against</th><th>Weight</th></tr>{rows}</table>"
    )


def _row(check: Check) -> str:
    evidence = ""
    if check.evidence:
        text = "\n".join(json.dumps(item, ensure_ascii=False) for item in check.evidence)
        evidence = f"<details><summary>evidence</summary><pre>{escape(text)}</pre></details>"
    return (
        f'<tr class="{check.outcome}"><td>{_WORDS[check.outcome]}</td><td>{escape(check.name)}</td>'
        f"<td>{escape(check.message)}{evidence}</td><td>{check.against}</td>"
        f"<td>{check.weight:g}</td></tr>"
    )
