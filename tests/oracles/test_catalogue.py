"""What the catalogue declares holds for what the vendors send."""

from pathlib import Path

import pytest

from jackfield_common.connector.verification import Signed
from jackfield_connectors.catalog import __file__ as catalogue_file
from jackfield_connectors.discovery import Loaded, discover
from tests.oracles.requests import Documents, verdict, verifier_for
from tests.oracles.vendors import NOW, VENDORS, Vendor

KNOWN = {vendor.name: vendor for vendor in VENDORS}
DECLARED = [
    (loaded, KNOWN[slug])
    for slug, loaded in discover([Path(catalogue_file).parent]).connectors.items()
    if slug in KNOWN and loaded.manifest.webhook is not None
]


@pytest.mark.parametrize(
    ("loaded", "vendor"), DECLARED, ids=[vendor.name for _, vendor in DECLARED]
)
def test_a_declared_scheme_knows_the_vendor_and_nobody_else(loaded: Loaded, vendor: Vendor) -> None:
    webhook = loaded.manifest.webhook
    assert webhook is not None
    judge = verifier_for(webhook.verify, vendor.secrets, documents=Documents(vendor.documents))
    assert verdict(judge, vendor.sign(vendor.secrets, vendor.body, NOW), NOW) is None
    assert verdict(judge, vendor.sign(vendor.others, vendor.body, NOW), NOW) is not None
    declared = webhook.verify
    if isinstance(declared, Signed) and declared.window is not None:
        late = NOW + declared.window.tolerance + 1
        assert verdict(judge, vendor.sign(vendor.secrets, vendor.body, NOW), late) == "stale"


def test_the_catalogue_has_sources_to_hold_against_the_vendors() -> None:
    assert {"github", "gitlab", "slack", "stripe"} <= {vendor.name for _, vendor in DECLARED}
