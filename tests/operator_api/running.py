"""The operator as a process, as in a cluster, with a real API server."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from borough_bill.targets.processes import HOST, Ports, die_with_parent
from waiting import until


class Operator:
    """One process, from `start` on."""

    def __init__(self, kubeconfig: Path, folder: Path, *options: str) -> None:
        self._ports = Ports()
        self._port = self._ports.ops
        self._log = folder / f"operator-{self._port}.log"
        self._command = [
            sys.executable, "-m", "borough_operator", "run", f"--ops-port={self._port}", *options
        ]  # fmt: skip  # the command on one line
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BOROUGH_")}
        self._environment = kept | {"KUBECONFIG": str(kubeconfig)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port of its probes and metrics."""
        return self._port

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; `ready` says when it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own words
                self._command,
                env=self._environment,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509  # two system calls, and nothing else
            )

    def ready(self) -> bool:
        """Whether it is ready."""
        return self.ask("/readyz")[0] == 200

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of its ops port; 0 where it does not respond."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series of that name with at least these labels."""
        return sum(
            sample.value
            for sample in self.samples()
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def samples(self) -> list[Sample]:
        """All its present metrics."""
        families = text_string_to_metric_families(self.ask("/metrics")[1])
        return [sample for family in families for sample in family.samples]

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Send SIGTERM. Returns the exit status."""
        process = self._process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        until(lambda: process.poll() is not None)
        return process.wait()

    def log(self) -> str:
        """Its log."""
        return self._log.read_text("utf-8", "replace")
