"""The suites of the contract are star-imported by a file for each backend, and their asserts rewritten all the same."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "tests.contract.store_contract",
    "tests.contract.bucket_contract",
    "tests.contract.quarantine_contract",
    "tests.contract.payload_contract",
)
