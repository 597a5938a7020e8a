"""Which features a deployment has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from partywall.cli import run
from partywall.core.feature import Feature, FeatureError
from partywall.core.own_feature import CORE
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.features.registry import FEATURES
from tests.extensions.packages import Install


def test_a_deployment_has_the_features_of_this_repository() -> None:
    assert enabled_features() == (*FEATURES, CORE)


def test_a_package_is_imported_only_when_it_is_named(install: Install) -> None:
    install()
    assert enabled_features() == (*FEATURES, CORE)
    assert "orders" not in sys.modules
    *below, orders, core = enabled_features(("orders",))
    assert (tuple(below), orders.name, core) == (FEATURES, "orders", CORE)
    assert [feature.name for feature in (*below, orders, core) if is_installed(feature)] == ["orders"]
    assert "orders.router" not in sys.modules


def refusal(*names: str) -> str:
    with pytest.raises(FeatureError) as refused:
        enabled_features(names)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_missing_package_is_named_with_what_is_offered(install: Install) -> None:
    assert "payments, which no installed package offers (offered: none)" in refusal("payments")
    install()
    assert "payments, which no installed package offers (offered: orders)" in refusal("payments")


def test_an_optional_feature_of_this_repository_is_switched_on_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    invoices = Feature(name="invoices", optional=True)
    monkeypatch.setattr("partywall.extensions.enabled.FEATURES", (*FEATURES, invoices))
    enabled_features.cache_clear()
    assert enabled_features() == (*FEATURES, CORE)
    assert enabled_features(("invoices",)) == (*FEATURES, invoices, CORE)
    enabled_features.cache_clear()


def test_a_command_refuses_a_missing_package_with_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEATURES__ENABLED", "payments")
    assert run(["serve"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert "FEATURES__ENABLED names payments" in printed.err
    assert not list(tmp_path.iterdir())


def test_two_packages_with_one_name_are_refused(install: Install) -> None:
    install()
    install(distribution="other-orders")
    assert "orders, which acme-orders and other-orders offer" in refusal("orders")


def test_a_package_cannot_take_the_name_of_a_feature_that_exists(install: Install) -> None:
    install("documents", "core")
    assert "documents, which is part of every deployment" in refusal("documents")
    assert "core, which is part of every deployment" in refusal("core")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_module", "cannot be imported: No module named 'no_such_module'"),
        ("raise SystemExit", "cannot be imported: SystemExit"),
        ("raise ValueError('two\\nlines')", "cannot be imported: two lines"),
        ("feature = object()", "is no partywall.api.Feature"),
        ("from partywall.api import Feature\nfeature = Feature(name='other')", "calls itself other"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_refused(install: Install, text: str, said: str) -> None:
    install(feature=text)
    assert said in refusal("orders")
    assert "the feature orders of acme-orders" in refusal("orders")
