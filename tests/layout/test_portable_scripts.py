"""Does every shell script run with what macOS has: bash 3.2, and the commands of BSD?"""

from pathlib import Path

import pytest

from layout.portable import ABSENT, BSD, COMMANDS, complaints
from layout.scripts import Script, of_file, scripts

REFUSED = {
    'a=()\nfor x in "${a[@]}"; do :; done': "empty array",
    'a=()\nf "${a[@]:1}"': "empty array",
    'a=()\nf "${a[*]}"': "empty array",
    'f ${a[@]+"${b[@]}"}': "empty array",
    "declare -A m": "declare -A",
    "f() { local -n m=$1; }": "local -n",
    "declare -gl m": "declare -gl",
    "mapfile -t a < f": "mapfile",
    "readarray -t a < f": "readarray",
    "coproc cat": "coproc",
    'f "${x,,}"': "change of case",
    'f "${x^^}"': "change of case",
    'f "${x^}"': "change of case",
    'f "${x@Q}"': "@Q",
    "f |& g": "|&",
    "f &>> g": "&>>",
    "case x in a) f ;& b) g ;; esac": ";&",
    "if x; do": "as shell",
    "case x in a) f ;;& b) g ;; esac": ";;&",
    "wait -n": "wait -n",
    'f "${a[-1]}"': "negative index",
    'f "${x:0:-1}"': "negative length",
    "[[ -v x ]]": "-v",
    "test -v x": "test -v",
    "f $BASHPID": "BASHPID",
    "f $EPOCHSECONDS": "EPOCHSECONDS",
    "f $'\\u2713'": "\\u",
    "for x in {01..10}; do :; done": "zeros",
    "for x in {1..9..2}; do :; done": "{1..9..2}",
    "exec {fd}> f": "{name}>",
    "x=$(case y in z) f ;; esac)": "(pattern)",
    "x=$(\n# it's\nf\n)": "other quote",
    "printf '%(%F)T' -1": "printf's times",
    "printf -v 'a[0]' x": "element",
    "read -N 1 x": "read -N",
    "read -t 0.5 x": "parts of a second",
    "shopt -s globstar": "shopt",
    "echo -e 'a\\tb'": "printf",
    "source <(f)": "source",
    ". <(f)": "source",
    "f < /proc/self/stat": "/proc",
    "trap 'rm -f x' EXIT": "last line",
    "trap 'code=$?; rm -f x; exit $code' 0\nf": "last line",
    "g() { rm -f x; }\ntrap g EXIT\nDONE=yes": "last line",
    "sed -r 's/a/b/' f": "-E",
    "sed -i 's/a/b/' f": "suffix",
    "sed -n -i -e p f": "suffix",
    "sed -z p": "-z",
    "sed 's/a/b\\nc/'": "puts",
    "sed 's|a|\\U&|g'": "puts",
    "sed 's/a/b/I'": "flags",
    "sed 's/a\\+/b/'": "-E",
    "sed 's/\\s//'": "\\s",
    "sed -n '/a/{p;q}'": "before }",
    "sed -n '1~2p'": "addresses",
    "grep -oP 'a' f": "-P",
    "grep 'a\\|b' f": "-E",
    "date -d yesterday": "date -d",
    "date -Iseconds": "date -d and -I",
    "date +%s%N": "%N",
    "date -r f": "seconds",
    "readlink -f f": "readlink",
    "stat -c %s f": "stat",
    "f | xargs -r g": "xargs",
    "mktemp -p d": "mktemp",
    "mktemp x.XXXXXX.yaml": "at the end",
    "base64 -d": "--decode",
    "sleep 1m": "seconds",
    "find . -printf x": "find",
    "cp -t d f": "cp",
    "mv -T a b": "mv",
    "ln -sr a b": "ln",
    "install -D a b": "install",
    "touch -d now f": "touch",
    "du -b f": "du",
    "df -BG": "df",
    "dd bs=1M if=f": "lower case",
    "ls -v": "ls",
    "awk '{ print strftime(\"%F\") }'": "gawk",
    "hostname -I": "hostname",
    "tar --transform=s/a/b/ -cf f": "tar",
    "sudo env A=b timeout 5 f": "no timeout",
}
"""By what is planted, a word of the refusal."""
ALLOWED = (
    'a=()\nfor x in ${a[@]+"${a[@]}"}; do :; done',
    'a=(1)\nf "${#a[@]}" "${!a[@]}" "${a[0]}" "$@"',
    "f() { local -a m=(); local -r n=1; }",
    "# mapfile, declare -A, sed -i",
    "f 'date -d' \"timeout\"",
    'g() { [ -n "${DONE:-}" ] || exit 1; }\ntrap g EXIT\nf\nDONE=yes',
    "trap - EXIT",
    "trap 'rm -f x' INT",
    "sed -i.bak 's/a/\\1\\&/' f",
    "sed -n 's/^a\\{0,1\\}\\(b\\)/\\1/p' f",
    "sed -E 's/a\\+|b/c/' f",
    "x=$(case y in (z) f ;; esac)",
    "f 2>&1 | g &> h",
    'f "${x: -1}" "${x:1:2}" "${x%,}" "${x/a/b}" "${x:-y,,z}"',
    "for x in {1..20}; do :; done",
    "base64 --decode",
    "grep -E 'a|b' f",
    "sleep 0.5",
    "mktemp -d",
    "date -u +%Y-%m-%d",
)


def of(text: str) -> Script:
    """As a script of the house begins."""
    return Script("planted", f"#!/usr/bin/env bash\nset -euo pipefail\n{text}\n")


def test_every_script_of_the_checkout_runs_on_macos(root: Path) -> None:
    """Those that stand alone, in the Makefile, in charts and in Python."""
    found = list(scripts(root))
    assert {"charts/cluster.sh", ".ci/run", "Makefile"} <= {script.place for script in found}
    assert [said for script in found for said in complaints(script)] == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_macos_does_not_understand_is_refused(text: str) -> None:
    """Each planted once, on a line of its own, with a sentence that says why."""
    said = complaints(of(text))
    assert said, "nothing is refused"
    assert all(one.startswith("planted:") for one in said)
    assert any(REFUSED[text] in one for one in said), said


@pytest.mark.parametrize("text", ALLOWED)
def test_what_macos_understands_is_allowed(text: str) -> None:
    """What is guarded, quoted, in a comment, or spelled as both know it."""
    assert complaints(of(text)) == []


def test_an_array_may_be_empty_where_unset_variables_are_allowed() -> None:
    """Without `set -u` bash 3.2 expands it to nothing."""
    assert complaints(Script("planted", 'a=()\nf "${a[@]}"\n')) == []


def test_every_rule_of_a_command_is_planted() -> None:
    """A rule that no planted line breaks could be without effect."""
    said = [one for text in REFUSED for one in complaints(of(text))]
    assert [rule for rule in COMMANDS if not any(rule.reason in one for one in said)] == []


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_a_command_that_macos_lacks_is_refused(name: str) -> None:
    """Also behind a word that runs it."""
    assert complaints(of(f"{name} x")) == [f"planted:3: macOS has no {name}"]
    assert complaints(of(f"x | xargs {name}")) == [f"planted:3: macOS has no {name}"]


@pytest.mark.parametrize("name", sorted(BSD))
def test_a_long_option_of_a_command_of_bsd_is_refused(name: str) -> None:
    """They have none."""
    assert complaints(of(f"{name} --version")) == [f"planted:3: BSD's {name} knows no long option"]


def test_scripts_are_found_wherever_they_stand() -> None:
    """By name, by their first line, in recipes, in templates and in strings of Python."""
    planted = "declare -A m"
    files = {
        "a.sh": planted,
        "b": f"#!/bin/bash\n{planted}\n",
        "Makefile": f"up: ## {planted}\n\t@echo $(A) $$x; \\\n\t  {planted}\n",
        "templates/c.yaml": f"a:\n  b: |\n    #!/bin/sh\n    {{{{ .c }}}}\n    {planted}\n  d: 1\n",
        "d.py": f'S = """#!/bin/sh\n{planted}\necho ${{{{x}}}}\n"""\n',
    }
    for name, text in files.items():
        (script,) = of_file(name, text)
        assert [one.split(": ")[1] for one in complaints(script)] == ["declare -A is of bash 4"], (
            name
        )
    (script,) = of_file("templates/c.yaml", files["templates/c.yaml"])
    assert complaints(script)[0].startswith("templates/c.yaml:5:")
    assert list(of_file("e.py", "S = 'declare -A m'\n")) == []
