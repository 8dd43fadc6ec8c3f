"""Do the Jobs and test pods run existing commands, at the right time?"""

import re
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

import borough.cli
import borough_bill.__main__
import borough_operator.__main__
import loyalty
from borough_shop.app import APP
from charts.cases import CASES, Case, document
from charts.helm import BOROUGH, Helm, Object, Objects, Values
from charts.objects import BROUGHT, environment, identity, name_of, of_kind, pods

APPS = {
    "borough": borough.cli.app,
    "borough_bill": borough_bill.__main__.app,
    "borough_operator": borough_operator.__main__.app,
}
PYTHON = ["python", "-c"]
TAG = "2.0.0"
NEWER_PAYMENTS = {"parts": {"payments": {"image": {"tag": TAG}}}}


def understood(container: Object) -> dict[str, Any]:
    """The arguments of a container of our images as its command parses them; exits as that does."""
    name = re.split("[:@]", container["image"].rpartition("/")[2])[0].replace("-", "_")
    module = container.get("command", ["python", "-m", name])
    group = typer.main.get_command(
        APPS.get(module[2], borough.cli.app)
    )  # other images are based on that
    assert isinstance(group, TyperGroup)
    name, *arguments = container["args"]
    return group.commands[name].make_context(name, list(arguments)).params


def test_every_command_of_a_pod_exists(objects: Objects) -> None:
    """With valid arguments: a pod whose command refuses them never starts."""
    for pod in pods(objects):
        for container in pod.containers:
            if "borough" in container["image"] and container.get("command") != PYTHON:
                assert understood(container) is not None, pod.owner


def migrations(objects: Objects) -> dict[str, dict[str, list[str]]]:
    """The command line of each migration, by Job."""
    return {
        pod.owner: {
            container["image"]: container["args"][2:]
            for container in pod.containers
            if container["args"][0] == "migrate"
        }
        for pod in pods(of_kind(objects, "Job"))
        if pod.component == "migrate"
    }


def test_each_image_migrates_the_stores_of_its_parts(helm: Helm) -> None:
    """One Job for each image: a version has the schemas of its own capabilities."""
    jobs = migrations(helm.objects(BOROUGH, NEWER_PAYMENTS))

    assert sorted(jobs.values(), key=str) == [
        {"borough:0.1.0": sorted(set(APP.contracts) - {"payments"})},
        {f"borough:{TAG}": ["payments"]},
    ]


def test_migration_waits_for_a_database_and_not_for_a_file(helm: Helm) -> None:
    """The back-off of a failed container would grow; by a variable, since an image that is older
    than the chart does not know the option.
    """
    for values, waits in (({}, ["600"]), ({"shape": "monolith", "store": {"kind": "sqlite"}}, [])):
        found = [
            [entry["value"] for entry in container["env"] if entry["name"] == "MIGRATION_WAIT_S"]
            for pod in pods(helm.objects(BOROUGH, values))
            for container in pod.containers
            if container.get("args", [""])[0] == "migrate"
        ]
        assert found == [waits]


def administrators(objects: Objects) -> dict[str, str]:
    """By owner and container, the address of the administrator, for containers that have it."""
    return {
        f"{pod.component} {container['name']}": variables["MIGRATION_ADMIN"]
        for pod in pods(objects)
        for container in pod.containers
        if "MIGRATION_ADMIN" in (variables := environment(pod, objects, container))
    }


def test_only_the_migration_gets_administrator_credentials(helm: Helm) -> None:
    """The superuser of the chart's database, whose password no part has; the administrator in a
    Secret for the user's database; none without that Secret, and none for a file.
    """
    own = helm.objects(BOROUGH, {"postgres": {"existingSecret": "mine"}})
    mine: Values = {"kind": "external", "existingSecret": "mine"}
    theirs = helm.objects(BOROUGH, {"store": {**mine, "existingAdminSecret": "boss"}})
    by_hand = helm.objects(BOROUGH, {"store": mine})
    file = helm.objects(BOROUGH, {"shape": "monolith", "store": {"kind": "sqlite"}})

    admin = f"postgresql://postgres:{BROUGHT['admin-password']}@borough-postgres/borough"
    assert administrators(own) == {"migrate migrate": admin}
    assert administrators(theirs) == {"migrate migrate": BROUGHT["url"]}
    assert administrators(by_hand) == administrators(file) == {}
    knowing = {
        pod.component
        for pod in pods(own)
        for container in pod.containers
        if BROUGHT["admin-password"] in str(environment(pod, own, container).values())
    }
    assert knowing == {"migrate", "postgres"}


def test_release_gains_a_capability(helm: Helm) -> None:
    """The shop is upgraded to one with loyalty: a part, its address and its policy, and a migration
    that makes its role; no Secret is changed, and no object of the database.
    """
    before = helm.objects(BOROUGH)
    after = helm.objects(BOROUGH, CASES["borough/loyalty"].values)
    old, new = ({identity(found): found for found in objects} for objects in (before, after))
    gained = {name for name in new.keys() - old.keys() if not name.startswith("Job/")}

    assert gained == {
        "ConfigMap/borough-loyalty",
        "Deployment/borough-loyalty",
        "NetworkPolicy/borough-loyalty",
        "PodDisruptionBudget/borough-loyalty",
        "Service/borough-loyalty",
        "Service/borough-loyalty-ops",
        "ServiceAccount/borough-loyalty",
    }
    assert {name for name in old.keys() - new.keys() if not name.startswith("Job/")} == set()
    (asked,) = migrations(after).values()
    assert asked["borough-loyalty:0.1.0"] == sorted(loyalty.APP.contracts)
    for kind in ("Secret", "StatefulSet"):
        assert of_kind(before, kind) == of_kind(after, kind)


def test_changed_job_has_another_name(helm: Helm) -> None:
    """A Job is immutable, so an upgrade makes a new one; without a change the Job of before is
    complete.
    """
    first = migrations(helm.objects(BOROUGH))
    second = migrations(helm.objects(BOROUGH, NEWER_PAYMENTS))
    settled = migrations(helm.objects(BOROUGH, {"settings": {"log_level": "debug"}}))

    assert set(first).isdisjoint(second)
    assert first == settled


@pytest.mark.parametrize("app", ["borough_shop.app:APP", "library.app:APP"])
def test_seed_runs_once_after_the_migration(helm: Helm, app: str) -> None:
    """After the migration, once, with the given options."""
    sqlite = {"shape": "monolith", "store": {"kind": "sqlite"}}
    for values in ({}, NEWER_PAYMENTS if "shop" in app else {}, sqlite):
        (pod,) = (
            pod
            for pod in pods(
                helm.objects(BOROUGH, {**document(app), **values, "seed": {"stock": 7}})
            )
            if any(c["args"][0] == "seed" for c in pod.containers if "args" in c)
        )
        verbs = [container["args"][0] for container in pod.containers]
        seeding = pod.containers[verbs.index("seed")]
        assert verbs.index("migrate") < verbs.index("seed")
        assert seeding["args"] == ["seed", f"--app={app}", "--stock", "7"]
        assert understood(seeding)["of"] == app


def test_pods_of_tests_are_deleted_after_success(helm: Helm, example: Case) -> None:
    """A failed one is kept for inspection until the next run; every test has its own fixed name."""
    for pod in of_kind(helm.objects(example.chart, example.values), "Pod"):
        notes = pod["metadata"]["annotations"]
        assert notes["helm.sh/hook"] == "test"
        assert notes["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"


def test_load_is_not_in_a_release(helm: Helm) -> None:
    """It is rendered on request, with the requested share, and runs once."""
    assert "load" not in {pod.component for pod in pods(helm.objects(BOROUGH))}

    load = {"enabled": True, "name": "skew", "rate": 5, "seconds": 9, "shares": ["order=0.6"]}
    load |= {"json": True}
    objects = helm.objects(BOROUGH, {"load": load})
    (job,) = (j for j in of_kind(objects, "Job") if name_of(j) == "borough-skew")
    (pod,) = pods([job])
    arguments = understood(pod.main)

    assert (arguments["url"], arguments["rate"], arguments["seconds"]) == ("http://borough", 5, 9)
    assert (arguments["share"], arguments["as_json"]) == (["order=0.6"], True)
    assert job["spec"]["backoffLimit"] == 0


def test_volumes_are_kept_when_the_release_is_deleted(helm: Helm) -> None:
    """Helm keeps the volumes of a StatefulSet, which are not in the release; the other one has the
    annotation.
    """
    sqlite = helm.objects(BOROUGH, {"shape": "monolith", "store": {"kind": "sqlite"}})
    (claim,) = of_kind(sqlite, "PersistentVolumeClaim")
    (deployment,) = of_kind(sqlite, "Deployment")
    (database,) = of_kind(helm.objects(BOROUGH), "StatefulSet")

    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    retention = database["spec"].get("persistentVolumeClaimRetentionPolicy", {})
    assert set(retention.values()) <= {"Retain"}


def test_secrets_of_the_user_replace_those_of_the_chart(helm: Helm) -> None:
    """No Secret is made that no pod reads."""
    own = {"customers": {"existingSecret": "mine"}, "postgres": {"existingSecret": "mine-too"}}
    objects = helm.objects(BOROUGH, own)

    assert of_kind(objects, "Secret") == []
    (gateway,) = (pod for pod in pods(objects) if pod.component == "gateway")
    (keys,) = (v for v in gateway.main["env"] if v["name"] == "BOROUGH_API_KEYS")
    assert keys["valueFrom"]["secretKeyRef"] == {"name": "mine", "key": "api-keys"}
