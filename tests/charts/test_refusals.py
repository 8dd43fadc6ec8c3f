"""Is an invalid value refused, with an error that names it?

The error is from Helm's check of the schema or from a template; the user sees one message either
way.
"""

from pathlib import Path

import pytest

from charts.cases import OTHERS, document
from charts.helm import BOROUGH, OBSERVABILITY, OPERATOR, Helm, Refused, Values

LIBRARY = document(OTHERS["library"])
LONG = {**LIBRARY["application"]["parts"][0], "shape": "microservices", "name": "n" * 60}

WRONG: dict[str, tuple[Values, tuple[str, ...]]] = {
    "a typo at the root": ({"shpae": "monolith"}, ("shpae",)),
    "a typo in the defaults": ({"defaults": {"replica": 2}}, ("defaults", "replica")),
    "a typo in a part": ({"parts": {"payments": {"imgae": {}}}}, ("parts", "payments", "imgae")),
    "a typo in an image": (
        {"parts": {"payments": {"image": {"tags": "1"}}}},
        ("parts", "payments", "image", "tags"),
    ),
    "a typo in the store": ({"store": {"knid": "sqlite"}}, ("store", "knid")),
    "a typo in the network": ({"networkPolicy": {"enable": False}}, ("networkPolicy", "enable")),
    "no such shape": ({"shape": "microservice"}, ("microservice", "monolith", "extract:")),
    "nothing to extract": ({"shape": "extract:gatway"}, ("gatway", "gateway")),
    "no such shape to retire": ({"retiring": "monolit"}, ("monolit", "monolith")),
    "a part of another shape": (
        {"shape": "monolith", "parts": {"payments": {"replicas": 2}}},
        ("payments", "monolith", "app"),
    ),
    "a part that changes what it hosts": (
        {"shape": "extract:payments", "retiring": "monolith"},
        ("app", "extract:payments", "monolith"),
    ),
    "no such setting": ({"settings": {"pbkdf2_iteration": 0}}, ("pbkdf2_iteration",)),
    "no such setting of a part": (
        {"parts": {"payments": {"settings": {"pbkdf2": 0}}}},
        ("payments", "pbkdf2"),
    ),
    "a setting by its variable": (
        {"settings": {"BOROUGH_PBKDF2_ITERATIONS": 0}},
        ("BOROUGH_PBKDF2_ITERATIONS",),
    ),
    "replicas in words": (
        {"parts": {"payments": {"replicas": "two"}}},
        ("payments", "replicas", "integer"),
    ),
    "fewer than no replicas": ({"defaults": {"replicas": -1}}, ("defaults", "replicas")),
    "a digest that is none": ({"image": {"digest": "sha256:abc"}}, ("image", "digest")),
    "no such store": ({"store": {"kind": "mysql"}}, ("store", "kind", "sqlite")),
    "one file for many parts": ({"store": {"kind": "sqlite"}}, ("store", "sqlite", "payments")),
    "one file for many pods": (
        {"shape": "monolith", "store": {"kind": "sqlite"}, "parts": {"app": {"replicas": 2}}},
        ("store", "sqlite", "app", "replica"),
    ),
    "one file for a part that grows": (
        {
            "shape": "monolith",
            "store": {"kind": "sqlite"},
            "parts": {"app": {"scaling": {"enabled": True}}},
        },
        ("store", "sqlite", "app", "scaling"),
    ),
    "a typo in the scaling": (
        {"parts": {"payments": {"scaling": {"maximum": 3}}}},
        ("payments", "scaling", "maximum"),
    ),
    "no such mode": (
        {"parts": {"payments": {"scaling": {"mode": "auto"}}}},
        ("payments", "scaling", "mode", "Auto"),
    ),
    "bounds that leave nothing": (
        {"parts": {"payments": {"scaling": {"replicas": {"min": 11}}}}},
        ("payments", "scaling", "min 11", "max 10"),
    ),
    "a store of one's own without its address": (
        {"store": {"kind": "external"}},
        ("store", "existingSecret"),
    ),
    "an application without its parts": (
        {"application": {**LIBRARY["application"], "parts": []}},
        ("application", "parts"),
    ),
    "an application with a fact that there is not": (
        {"application": {**LIBRARY["application"], "shapes": {}}},
        ("application", "shapes"),
    ),
    "a shape of another application": ({**LIBRARY, "shape": "apis"}, ("apis", "two", "extract:")),
    "a setting of another application": (
        {**LIBRARY, "settings": {"pbkdf2_iterations": 0}},
        ("pbkdf2_iterations", "trace_ratio"),
    ),
    "load on who has no customers": (
        {**LIBRARY, "load": {"enabled": True}},
        ("load.enabled", "Library"),
    ),
    "a part whose name is too long": (
        {"application": {**LIBRARY["application"], "parts": [LONG]}},
        (LONG["name"], "63"),
    ),
    "a settings map that is a list": ({"settings": ["pbkdf2_iterations=0"]}, ("settings",)),
    "a share of no class": ({"load": {"enabled": True, "shares": "order"}}, ("load", "shares")),
}
"""Values of charts/borough, and what the refusal must name."""

OWNED = (
    "api_keys", "host", "internal_port", "ops_port", "otlp_endpoint", "part", "peers",
    "public_port", "shape", "shapes_file", "store",
)  # fmt: skip  # as a table
"""Settings that follow from what the chart renders: another value would contradict it."""

WRONG_OBSERVABILITY: dict[str, tuple[Values, tuple[str, ...]]] = {
    "a typo at the root": ({"promtheus": {}}, ("promtheus",)),
    "a typo below": ({"grafana": {"enable": False}}, ("grafana", "enable")),
    "a word for a truth": ({"jaeger": {"enabled": "no"}}, ("jaeger", "enabled")),
    "a release without its namespace": ({"scrape": [{"release": "a"}]}, ("scrape", "namespace")),
    "nowhere to send spans to": (
        {"jaeger": {"enabled": False}},
        ("collector.exportTo", "jaeger"),
    ),
    "a Grafana without clients": (
        {"grafana": {"anonymous": False}},
        ("grafana.anonymous", "grafana.admin.existingSecret"),
    ),
    "an interval without a unit": ({"prometheus": {"interval": "5"}}, ("prometheus", "interval")),
    "an operator without its namespace": (
        {"operators": [{"release": "a"}]},
        ("operators", "namespace"),
    ),
}

WRONG_OPERATOR: dict[str, tuple[Values, tuple[str, ...]]] = {
    "a typo at the root": ({"wacth": {}}, ("wacth",)),
    "a typo below": ({"watch": {"namespace": ["a"]}}, ("watch", "namespace")),
    "one namespace that is no list": ({"watch": {"namespaces": "shop"}}, ("watch", "namespaces")),
    "a pattern of namespaces": ({"watch": {"namespaces": ["team-*"]}}, ("watch", "team-*")),
    "an address without its scheme": (
        {"prometheus": {"url": "prometheus:9090"}},
        ("prometheus", "url"),
    ),
    "a setting that the chart makes": (
        {"settings": {"prometheus_url": "http://b:9090"}},
        ("settings", "prometheus_url"),
    ),
    "a setting by its variable": (
        {"settings": {"BOROUGH_OPERATOR_LOG_LEVEL": "debug"}},
        ("BOROUGH_OPERATOR_LOG_LEVEL",),
    ),
    "a word for a number": ({"settings": {"window": "15s"}}, ("settings", "window")),
    "an image of no version": ({"image": {"tag": "latest"}}, ("image.tag", "latest")),
    "no port to ask pods on": ({"pods": {"enabled": True, "ports": []}}, ("pods", "ports")),
}


def must_be_refused(helm: Helm, chart: Path, values: Values, words: tuple[str, ...]) -> None:
    """Rendering fails with a message that has all these words."""
    with pytest.raises(Refused) as refusal:
        helm.render(chart, values)
    assert [word for word in words if word not in str(refusal.value)] == [], str(refusal.value)


@pytest.mark.parametrize("what", WRONG)
def test_invalid_value_of_the_shop_is_refused_by_name(helm: Helm, what: str) -> None:
    """For an unknown name, the message lists those that exist."""
    must_be_refused(helm, BOROUGH, *WRONG[what])


@pytest.mark.parametrize("what", WRONG_OBSERVABILITY)
def test_invalid_value_of_observability_is_refused_by_name(helm: Helm, what: str) -> None:
    """The same for charts/observability."""
    must_be_refused(helm, OBSERVABILITY, *WRONG_OBSERVABILITY[what])


@pytest.mark.parametrize("what", WRONG_OPERATOR)
def test_invalid_value_of_the_operator_is_refused_by_name(helm: Helm, what: str) -> None:
    """The same for charts/borough-operator."""
    must_be_refused(helm, OPERATOR, *WRONG_OPERATOR[what])


@pytest.mark.parametrize("name", OWNED)
def test_setting_that_the_chart_sets_is_refused_in_values(helm: Helm, name: str) -> None:
    """The error has its name, and where it is in the values."""
    where, values = (
        ("parts.payments.settings", {"parts": {"payments": {"settings": {name: "1"}}}})
        if name in {"peers", "store"}
        else ("settings", {"settings": {name: "1"}})
    )
    with pytest.raises(Refused, match=rf"{where}.*\b{name}\b"):
        helm.render(BOROUGH, values)
