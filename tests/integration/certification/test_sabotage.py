"""Every check can be failed: a product that is broken in one way loses the checks that are about it.

The sabotaged products of a suite are examined side by side: most of their time is waiting.
"""

import asyncio
from pathlib import Path

import pytest

from jackfield_certification.suites import plan
from jackfield_connectors.engine import transport
from tests.integration.certification.examination import examined, lost
from tests.integration.certification.shelf import manifest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

RECOVERIES = {"recovery:unavailable", "recovery:reset", "recovery:half_answer"}
ERRORS = {
    f"error_handling:{kind}"
    for kind in ("auth", "forbidden", "not_found", "invalid", "rate_limited", "unavailable")
}

SABOTAGES: dict[str, dict[str, set[str]]] = {
    "reliability": {
        "": set(),
        "never retries": RECOVERIES
        | {"rate_limit_compliance", "rate_limit_backoff", "rate_limit_budget", "outage"},
        "ignores Retry-After": {"rate_limit_compliance", "rate_limit_budget", "outage"},
        "opens no breaker": {"outage", "rate_limit_budget"},
        "swallows failures": ERRORS
        | {"timeout_handling", "no_doubled_work", "outage", "schema_drift"},
        "repeats unsafe work": {"no_doubled_work"},
        "takes any answer": {"schema_drift"},
        "stops after the first page": {"pagination:list_items"},
        "waits for ever": {"timeout_handling"},
    },
    "security": {
        "": set(),
        "shows credentials": {"credential_security"},
        "accepts any signature": {"webhook_signature_verification"},
        "calls anywhere": {"data_encryption", "request_forgery"},
        "accepts any key": {"access_controls", "least_privilege"},
        "shows the API to vendors": {"access_controls"},
        "ignores scopes": {"least_privilege"},
    },
    "performance": {
        "": set(),
        "dawdles": {"response_times"},
        "works one by one": {"concurrency"},
        "opens a connection each time": {"resource_utilisation"},
        "does it twice": {"scalability"},
    },
    "webhook_functionality": {
        "": set(),
        "drops an event type": {"parse:an item was removed"},
        "loses routes": {"processing", "duplicates", "ordering"},
        "accepts any signature": {"verification"},
        "forgets the earlier secret": {"verification"},
        "does duplicates again": {"duplicates"},
        "loses the order": {"ordering"},
        "takes malformed bodies": {"malformed"},
        "swallows oversized bodies": {"oversized"},
    },
}


@pytest.mark.parametrize("suite", SABOTAGES)
async def test_each_sabotage_loses_the_checks_that_are_about_it(suite: str, tmp_path: Path) -> None:
    # One at a time where time itself is what is measured.
    at_once = asyncio.Semaphore(1 if suite == "performance" else 9)

    async def losses(number: int, broken: str) -> set[str]:
        directory = tmp_path / str(number)
        directory.mkdir()
        async with at_once:
            return lost(await examined(manifest(), directory, broken, suites=(suite,)))

    found = await asyncio.gather(
        *(losses(number, broken) for number, broken in enumerate(SABOTAGES[suite]))
    )
    assert dict(zip(SABOTAGES[suite], found, strict=True)) == SABOTAGES[suite]


async def test_a_credential_that_follows_a_redirect_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_CREDENTIAL_HEADERS", frozenset[str]())
    original = transport._redirected  # pyright: ignore[reportPrivateUsage] - what is broken here

    def careless(request: transport.Request, status: int, location: str) -> transport.Request:
        followed = original(request, status, location)
        return transport.Request(
            method=followed.method,
            url=followed.url,
            headers=request.headers,
            body=followed.body,
            named_only=followed.named_only,
        )

    monkeypatch.setattr(transport, "_redirected", careless)
    assert lost(await examined(manifest(), tmp_path, suites=("security",))) == {"redirects"}


def test_every_check_of_the_suites_is_lost_by_some_sabotage() -> None:
    for suite, sabotages in SABOTAGES.items():
        losable = set[str]().union(*sabotages.values()) | {"redirects"}
        for check in plan(manifest(), (suite,)):
            parts = check.name.partition(":")[0]
            families = {name.partition(":")[0] for name in losable}
            if check.inapplicable is None and check.name != "every_event_sampled":
                assert parts in families, f"nothing can fail {suite} {check.name}"
