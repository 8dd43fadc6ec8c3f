"""Rendered objects as files, so that the diff of a template shows its effect on the cluster.

    PYTHONPATH=tests python -m charts.golden OUTDIR

Few, and of each only what the others do not show: a reviewer reads them. Without Helm the
committed files are copied.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from charts.cases import CASES
from charts.helm import Helm, Object
from charts.objects import COMPONENT

GOLDEN = Path(__file__).with_name("golden")


@dataclass(frozen=True)
class Golden:
    """The objects to write of a case: those of these kinds, or of these components."""

    case: str
    kinds: frozenset[str] = frozenset()
    components: frozenset[str] = frozenset()

    def text(self, helm: Helm) -> str:
        """The objects in the order in which Helm applies them."""
        case = CASES[self.case]
        shown = [found for found in helm.objects(case.chart, case.values) if self._shows(found)]
        text: str = yaml.dump_all(
            shown, Dumper=Plain, sort_keys=False, default_flow_style=None, width=100
        )
        return text

    def _shows(self, found: Object) -> bool:
        component = found["metadata"].get("labels", {}).get(COMPONENT)
        return found["kind"] in self.kinds or component in self.components


class Plain(yaml.SafeDumper):
    """YAML without anchors, with multi-line texts as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: Plain, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Plain.add_representer(str, _text)

GOLDENS: Mapping[str, Golden] = {
    "one-part-on-sqlite": Golden(
        "borough/monolith-on-sqlite",
        kinds=frozenset({"PersistentVolumeClaim", "Service"}),
        components=frozenset({"app", "test", "audit"}),
    ),
    "parts-and-their-database": Golden(
        "borough/microservices-under-load",
        components=frozenset({"gateway", "payments", "postgres", "migrate", "load"}),
    ),
    "policies": Golden("borough", kinds=frozenset({"NetworkPolicy"})),
    "doors-while-leaving": Golden("borough/leaving-the-monolith", kinds=frozenset({"Service"})),
    "routes": Golden(
        "borough/roles-behind-routes", kinds=frozenset({"HTTPRoute", "Ingress", "Service"})
    ),
    "operator": Golden(
        "borough-operator/beside-a-company-prometheus",
        kinds=frozenset(
            {"Deployment", "NetworkPolicy", "PodMonitor", "Role", "RoleBinding", "ServiceAccount"}
        ),
        components=frozenset({"test"}),
    ),
    "a-part-that-is-scaled": Golden(
        "borough/scaled-by-the-operator",
        kinds=frozenset({"ServiceScaler"}),
        components=frozenset({"payments"}),
    ),
    "observability": Golden(
        "observability", components=frozenset({"collector", "prometheus", "jaeger"})
    ),
}
"""By the name of the file."""


def write(helm: Helm, folder: Path) -> None:
    """Write the files."""
    for name, golden in GOLDENS.items():
        (folder / f"{name}.yaml").write_text(golden.text(helm), encoding="utf-8")


def main() -> None:
    """Write them into the given folder, or copy the committed ones there."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("helm")
    if program is not None:
        write(Helm(program), folder)
        return
    print("helm is not installed: tests/charts/golden stays as it is", file=sys.stderr)  # noqa: T201  # the answer
    shutil.copytree(GOLDEN, folder, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
