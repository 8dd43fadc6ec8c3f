"""Does observability scrape, link and show every part and operator?"""

import re
from pathlib import Path
from typing import Any

import pytest

from charts.cases import CASES, OTHERS, SHAPES, Case
from charts.helm import BOROUGH, OBSERVABILITY, OPERATOR, Helm, Object, Objects, parse
from charts.objects import COMPONENT, behind, environment, named, of_kind, pods


def configuration(objects: Objects, component: str, file: str) -> Any:
    """A configuration file of a program of the chart."""
    (name,) = (n for n in named(objects, "ConfigMap") if n.endswith(f"-{component}"))
    (content,) = parse(named(objects, "ConfigMap")[name]["data"][file])
    return content


def scrape_job(objects: Objects, name: str = "borough") -> Object:
    """The discovery of that job in Prometheus: of the parts by default."""
    prometheus = configuration(objects, "prometheus", "prometheus.yml")
    (job,) = (j for j in prometheus["scrape_configs"] if j["job_name"] == name)
    found: Object = job
    return found


def labelled(job: Object, name: str) -> dict[str, str]:
    """The labels that relabelling sets on targets of a DNS name; a rule whose expression does not
    match changes nothing.
    """
    labels: dict[str, str] = {}
    for rule in job["relabel_configs"]:
        assert rule["source_labels"] == ["__meta_dns_name"]
        if match := re.fullmatch(rule["regex"], name):
            template = re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1"))
            labels[rule["target_label"]] = match.expand(template)
    return labels


RELEASES = [("borough", tuple(SHAPES)), ("blue", ("microservices",))]
"""One release whose name contains the chart's, and one whose name does not; the shapes to test."""


@pytest.mark.parametrize(("release", "shapes"), RELEASES)
def test_every_part_of_every_shape_is_scraped_with_its_own_labels(
    helm: Helm, release: str, shapes: tuple[str, ...]
) -> None:
    """By the ops Services of the shop; a change of shape needs no change here."""
    scrape = [{"release": "other", "namespace": "a"}, {"release": release, "namespace": "b"}]
    job = scrape_job(helm.objects(OBSERVABILITY, {"scrape": scrape}))
    (discovery,) = job["dns_sd_configs"]
    assert (discovery["type"], discovery["port"]) == ("A", 9090)

    for shape in shapes:
        services = ops_services(helm.objects(BOROUGH, {"shape": shape}, release=release))
        assert set(services) == set(SHAPES[shape].parts)
        for part, service in services.items():
            name = f"{service}.b.svc.cluster.local."
            assert name in discovery["names"], shape
            workload = service.removesuffix("-ops")
            assert labelled(job, name) == {"namespace": "b", "workload": workload, "part": part}


@pytest.mark.parametrize("name", OTHERS)
def test_parts_of_another_application_are_scraped(helm: Helm, name: str) -> None:
    """By the file of values of its own chart; the shop's are not scraped."""
    case, watch = CASES[f"borough/{name}"], CASES[f"observability/{name}"]
    (discovery,) = scrape_job(helm.objects(OBSERVABILITY, watch.values))["dns_sd_configs"]
    services = set(ops_services(helm.objects(BOROUGH, case.values)).values())
    parts = {part["name"] for part in case.values["application"]["parts"]}

    asked = {name.partition(".")[0] for name in discovery["names"]}
    assert services <= asked == {f"borough-{part}-ops" for part in parts}


def ops_services(objects: Objects) -> dict[str, str]:
    """The names of the Services to scrape, by part."""
    return {
        service["spec"]["selector"][COMPONENT]: service["metadata"]["name"]
        for service in of_kind(objects, "Service")
        if service["metadata"]["name"].endswith("-ops")
    }


@pytest.mark.parametrize("release", ["borough-operator", "blue"])
def test_every_operator_is_scraped_under_its_own_name(helm: Helm, release: str) -> None:
    """By its Service; its label for a scaler's namespace is not overwritten."""
    operators = [{"release": "other", "namespace": "a"}, {"release": release, "namespace": "b"}]
    job = scrape_job(helm.objects(OBSERVABILITY, {"operators": operators}), "borough-operator")
    (service,) = of_kind(helm.objects(OPERATOR, release=release), "Service")
    workload = service["metadata"]["name"]
    (discovery,) = job["dns_sd_configs"]

    assert job["honor_labels"] is True
    assert discovery["port"] == service["spec"]["ports"][0]["port"]
    assert f"{workload}.b.svc.cluster.local." in discovery["names"]
    assert labelled(job, f"{workload}.b.svc.cluster.local.") == {
        "namespace": "b",
        "workload": workload,
    }


def test_without_operators_none_is_scraped_or_allowed(helm: Helm) -> None:
    """The policies do not allow them either."""
    objects = helm.objects(OBSERVABILITY, {"operators": []})
    prometheus = configuration(objects, "prometheus", "prometheus.yml")

    assert "borough-operator" not in {job["job_name"] for job in prometheus["scrape_configs"]}
    assert "borough-operator" not in str(of_kind(objects, "NetworkPolicy"))


def test_prometheus_keeps_exemplars(helm: Helm) -> None:
    """They link a slow minute to a trace of it."""
    objects = helm.objects(OBSERVABILITY)
    (prometheus,) = (pod for pod in pods(objects) if pod.component == "prometheus")

    assert "--enable-feature=exemplar-storage" in prometheus.main["args"]
    assert configuration(objects, "prometheus", "prometheus.yml")["storage"]["exemplars"]


def test_exemplar_links_to_its_trace(helm: Helm) -> None:
    """Grafana's data sources have the uids that dashboards link to."""
    sources = configuration(helm.objects(OBSERVABILITY), "grafana", "datasources.yaml")
    by_uid = {s["uid"]: s for s in sources["datasources"]}

    assert set(by_uid) == {"prometheus", "jaeger"}
    assert by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"] == [
        {"name": "trace_id", "datasourceUid": "jaeger"}
    ]


def test_dashboards_of_the_chart_are_the_generated_ones(helm: Helm) -> None:
    """A chart cannot read outside its folder, so it has copies."""
    house = {
        p.name: p.read_text() for p in (OBSERVABILITY.parents[1] / "dashboards").glob("*.json")
    }
    shipped = named(helm.objects(OBSERVABILITY), "ConfigMap")["observability-dashboards"]["data"]

    assert house
    assert shipped == house


def test_grafana_opens_with_an_existing_dashboard(helm: Helm) -> None:
    """Otherwise its first page is an error."""
    objects = helm.objects(OBSERVABILITY)
    (grafana,) = (pod for pod in pods(objects) if pod.component == "grafana")
    (mount,) = (m for m in grafana.main["volumeMounts"] if m["name"] == "dashboards")
    home = Path(environment(grafana, objects)["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])

    assert str(home.parent) == mount["mountPath"]
    assert home.name in named(objects, "ConfigMap")["observability-dashboards"]["data"]


def test_every_service_selects_a_pod(helm: Helm, example: Case) -> None:
    """And every program has a Service."""
    if example.chart != OBSERVABILITY:
        pytest.skip("see test_services.py")
    objects = helm.objects(OBSERVABILITY, example.values)
    services = of_kind(objects, "Service")

    assert {s["metadata"]["name"] for s in services} == {
        d["metadata"]["name"] for d in of_kind(objects, "Deployment")
    }
    for service in services:
        (pod,) = behind(service, pods(objects))
        for port in service["spec"]["ports"]:
            assert port.get("targetPort", port["port"]) in {*pod.ports, *pod.ports.values()}


@pytest.mark.parametrize("component", ["collector", "prometheus", "jaeger", "grafana"])
def test_each_program_can_be_disabled(helm: Helm, component: str) -> None:
    """With all its objects; a program that runs alone requires no other."""
    values: dict[str, dict[str, Any]] = {
        other: {"enabled": other == component}
        for other in ("collector", "prometheus", "jaeger", "grafana")
    }
    values["collector"] |= {"exportTo": "http://tempo.tracing:4318"}
    objects = helm.objects(OBSERVABILITY, values)

    assert {pod.component for pod in pods(objects)} == {component}
    assert {s["metadata"]["name"] for s in of_kind(objects, "Service")} == {
        f"observability-{component}"
    }
