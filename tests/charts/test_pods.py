"""Is every pod restricted, with requests, limits and probes?"""

import re

from charts import pod_security
from charts.helm import Objects
from charts.objects import SELECTOR, Pod, identity, of_kind, pods, selects

STAYING = ("Deployment", "StatefulSet")
PARTS = "Deployment/"


def test_every_pod_meets_the_restricted_standard(objects: Objects) -> None:
    """Also those that migrate, test and load: the namespace enforces it for all."""
    assert [found for pod in pods(objects) for found in pod_security.violations(pod)] == []


def test_root_filesystem_of_every_container_is_read_only(objects: Objects) -> None:
    """A container writes to volumes only."""
    assert [
        (pod.owner, container["name"])
        for pod in pods(objects)
        for container in pod.containers
        if container["securityContext"].get("readOnlyRootFilesystem") is not True
    ] == []


def test_only_the_pod_of_the_operator_has_a_token(objects: Objects) -> None:
    """No other pod calls the API server."""
    assert [
        pod.owner
        for pod in pods(objects)
        if pod.spec.get("automountServiceAccountToken") is not (pod.component == "operator")
    ] == []


def test_no_pod_gets_service_links(objects: Objects) -> None:
    """Their variables would be read as settings."""
    assert [
        pod.owner for pod in pods(objects) if pod.spec.get("enableServiceLinks") is not False
    ] == []


def test_every_container_has_requests_and_a_memory_limit(objects: Objects) -> None:
    """CPU and memory are requested; memory is limited and CPU is not, since a part would be
    throttled while the node is idle.
    """
    for pod in pods(objects):
        for container in pod.containers:
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}, (pod.owner, container["name"])
            assert set(resources["limits"]) == {"memory"}, (pod.owner, container["name"])


def test_permanent_pods_have_liveness_and_readiness_probes(objects: Objects) -> None:
    """An unready pod gets no requests, a dead one is restarted."""
    for found in (f for kind in STAYING for f in of_kind(objects, kind)):
        (pod,) = pods([found])
        liveness, ready = pod.main["livenessProbe"], pod.main["readinessProbe"]
        assert liveness != ready, pod.owner


def test_selector_is_the_three_labels_that_never_change(objects: Objects) -> None:
    """It is immutable, so it contains nothing that changes with a version."""
    for found in (f for kind in STAYING for f in of_kind(objects, kind)):
        (pod,) = pods([found])
        selector = found["spec"]["selector"]
        assert set(selector) == {"matchLabels"}, pod.owner
        assert frozenset(selector["matchLabels"]) == SELECTOR, pod.owner
        assert selects(selector, pod.labels), pod.owner


def test_every_pod_has_labels_of_release_and_component(objects: Objects) -> None:
    """Policies and discovery select it by these labels; no two Deployments share them."""
    assert [pod.owner for pod in pods(objects) if not set(pod.labels) >= SELECTOR] == []
    staying = [pod for pod in pods(objects) if pod.owner.startswith(STAYING)]
    assert len({pod.component for pod in staying}) == len(staying)


def test_every_image_has_a_version(objects: Objects) -> None:
    """`latest` may be another image at each pull."""
    for pod in pods(objects):
        for container in pod.containers:
            image = container["image"]
            assert re.fullmatch(r"[^:@]+(:[\w.-]+|@sha256:[0-9a-f]{64})", image), (pod.owner, image)
            assert not image.endswith(":latest"), pod.owner


def test_every_referenced_config_map_and_secret_exists(objects: Objects) -> None:
    """A ConfigMap, an account or a claim that does not exist keeps a pod from starting."""
    here = {identity(found) for found in objects}
    assert [
        (pod.owner, wanted)
        for pod in pods(objects)
        for wanted in references(pod)
        if wanted not in here
    ] == []


def references(pod: Pod) -> list[str]:
    """What it references but for Secrets, which the user may make."""
    maps = [
        source["configMapRef"]["name"]
        for container in pod.containers
        for source in container.get("envFrom", [])
        if "configMapRef" in source
    ]
    volumes = pod.spec.get("volumes", [])
    maps += [v["configMap"]["name"] for v in volumes if "configMap" in v]
    claims = [v["persistentVolumeClaim"] for v in volumes if "persistentVolumeClaim" in v]
    accounts = [pod.spec["serviceAccountName"]] if "serviceAccountName" in pod.spec else []
    return [
        *(f"ConfigMap/{name}" for name in maps),
        *(f"PersistentVolumeClaim/{claim['claimName']}" for claim in claims),
        *(f"ServiceAccount/{name}" for name in accounts),
    ]
