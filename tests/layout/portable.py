"""What a shell script may not say, because macOS does not understand it.

Its bash is 3.2, of 2007; its sed, date, grep and their like are BSD's. `complaints` reads the
syntax tree of a script, so that a comment or a quoted word is no offence. `NODES` are rules of
single nodes of the tree, `COMMANDS` of the words of commands, `ABSENT` what macOS does not have.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tree_sitter import Node

from layout.scripts import Script

BSD = frozenset(
    """
    awk basename cat chmod chown cmp comm cp cut date dd df dirname du env expr find head install ln
    ls mkdir mktemp mv od paste readlink rm rmdir sed seq sleep sort split stat tail tee touch tr
    tsort uname uniq wc xargs
    """.split()  # noqa: SIM905  # one glance
)
"""Commands of which macOS has BSD's version; these know no long options."""
ABSENT = frozenset(
    """
    flock free gawk getent ip md5sum nproc numfmt pidof realpath setsid sha1sum sha256sum shuf ss
    tac timeout truncate
    """.split()  # noqa: SIM905  # one glance
)
"""GNU's or Linux' own; some came to macOS lately, and one cannot count on them."""


class Words(NamedTuple):
    """Of the command `name` no word may match the pattern; where it has a word that matches
    `unless`, any may.
    """

    name: str
    pattern: str
    reason: str
    unless: str = "(?!)"

    def refuses(self, words: list[str]) -> bool:
        """Whether the command with these words is refused."""
        if any(re.search(self.unless, word) for word in words):
            return False
        return not self.pattern or any(re.search(self.pattern, word) for word in words)


_FOUND = r"(?:^|[\s;{}\d/$])s([/|,#@!%])(?:\\.|(?!\1)[^\\])*\1"
_PUT = r"(?:\\.|(?!\1)[^\\])*?"
_EXTENDED = r"^-[a-zA-Z]*[EFP]"
COMMANDS = (
    Words("mapfile", "", "mapfile is of bash 4"),
    Words("readarray", "", "readarray is of bash 4"),
    Words("coproc", "", "coproc is of bash 4"),
    Words("wait", r"^-[a-z]*[nfp]", "wait -n is of bash 4.3"),
    Words("printf", r"%\([^)]*\)T", "printf's times are of bash 4.2"),
    Words("printf", r"^\w+\[", "printf -v sets no element of an array before bash 4.1"),
    Words("read", r"^-[a-z]*[Ni]", "read -N and -i are of bash 4"),
    Words("read", r"^(-t)?\d*\.\d+$", "read -t with parts of a second is of bash 4"),
    Words("shopt", r"^(globstar|autocd|dirspell|lastpipe|inherit_errexit)$", "a shopt of bash 4"),
    Words("test", r"^-[vR]$", "test -v is of bash 4.2"),
    Words("echo", r"^-[nE]*e", "an echo that follows POSIX prints -e: use printf"),
    Words("source", r"^<\(", "source <(...) reads nothing in bash 3.2"),
    Words(".", r"^<\(", "source <(...) reads nothing in bash 3.2"),
    Words("sed", r"^-[nEsz]*r", "sed -r is GNU's: use -E"),
    Words("sed", r"^-[nEr]*i$", "sed -i without a suffix is GNU's: use -i.bak"),
    Words("sed", r"^-[nEr]*[sz]", "sed -s and -z are GNU's"),
    Words("sed", _FOUND + _PUT + r"\\[ntluLUE]", r"\n and \t in what sed puts are GNU's"),
    Words("sed", _FOUND + _PUT + r"\1[gp\d]*[IMe]", "these flags of sed's s are GNU's"),
    Words("sed", r"(?<!\\)\\[+?|]", r"\+, \? and \| are GNU's: use -E", _EXTENDED),
    Words("sed", r"(?<!\\)\\[sSwWbBt]", r"\s, \w, \b and \t in sed are GNU's"),
    Words("sed", r"(?<!\\)\{[^{}]*[a-zA-Z=]\s*(?<!\\)\}", "BSD's sed wants a ; before }"),
    Words("sed", r"^\d+~\d+|,[+~]\d+", "sed's addresses with ~ and + are GNU's"),
    Words("grep", r"^-[a-zA-Z]*P|^--perl", "grep -P is GNU's: use -E"),
    Words("grep", r"(?<!\\)\\[+?|]", r"\+, \? and \| are GNU's: use -E", _EXTENDED),
    Words("date", r"^-[uR]*[dI]", "date -d and -I are GNU's"),
    Words("date", r"^\+.*%\d*N", "date's %N is GNU's"),
    Words("date", r"^-[uR]*r", "date -r means a file to GNU's and seconds to BSD's"),
    Words("readlink", r"^-[a-z]*[fem]", "readlink -f is GNU's: use cd and pwd -P"),
    Words("stat", r"^-[a-zL]*[cf]", "stat -c is GNU's, and -f another thing to BSD's"),
    Words("xargs", r"^-[0a-z]*[rda]", "xargs -r, -d and -a are GNU's"),
    Words("mktemp", r"^-[dqu]*[pt]", "mktemp -p is GNU's, and -t another thing to BSD's"),
    Words("mktemp", r"X{3,}[^X]+$", "BSD's mktemp fills only X at the end"),
    Words("base64", r"^-[dDwi]|^--wrap", "only base64 --decode is known to both"),
    Words("sleep", r"^(inf.*|.*[smhd])$", "sleep takes nothing but seconds"),
    Words("find", r"^-(printf|regextype|readable|executable|writable)$", "a test of GNU's find"),
    Words("cp", r"^-[a-zA-Z]*[tTu]", "cp -t, -T and -u are GNU's"),
    Words("mv", r"^-[a-z]*[tTu]", "mv -t, -T and -u are GNU's"),
    Words("ln", r"^-[a-z]*[rTt]", "ln -r, -t and -T are GNU's"),
    Words("install", r"^-[a-z]*[DtT]", "install -D, -t and -T are GNU's"),
    Words("touch", r"^-[a-z]*d", "touch -d takes other dates in BSD's"),
    Words("du", r"^-[a-z]*b", "du -b is GNU's"),
    Words("df", r"^-[a-z]*B", "df -B is GNU's"),
    Words("dd", r"^[io]?bs=\d+[KMG]", "BSD's dd takes sizes in lower case"),
    Words("ls", r"^-[a-zA-Z]*[vXI]", "these options of ls are GNU's"),
    Words("awk", r"\b(gensub|strftime|systime|asorti?|mktime)\(", "this function is gawk's"),
    Words("hostname", r"^-[Ii]", "hostname -I is Linux'"),
    Words("tar", r"^--(transform|wildcards|sort|owner|mtime)", "this option of tar is GNU's"),
)
_HANDLERS = {"0", "EXIT"}


def complaints(script: Script) -> list[str]:
    """Each offence as FILE:LINE: REASON, in the order of the lines."""
    try:
        root = script.tree
    except ValueError as error:
        return [str(error)]
    found = [
        (node.start_point.row, reason)
        for node in _below(root)
        for judge in NODES
        for reason in judge(node)
    ]
    return [f"{script.place}:{script.line + row}: {reason}" for row, reason in sorted(set(found))]


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _below(child)


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode()


def _above(node: Node) -> Iterator[Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _root(node: Node) -> Node:
    return [node, *_above(node)][-1]


def _literal(word: Node) -> str:
    """A word as the command gets it, where nothing in it is expanded."""
    text = _text(word)
    return text[1:-1] if word.type in ("raw_string", "string") else text


def _command(node: Node) -> tuple[str, list[Node]]:
    """A command's name and its other words; no name where the node is no command."""
    if node.type == "command":
        name = node.child_by_field_name("name")
        return _literal(name) if name else "", node.children_by_field_name("argument")
    if node.type == "declaration_command":
        return _text(node.children[0]), node.children[1:]
    return "", []


# -- rules of nodes


def _arrays(node: Node) -> Iterator[str]:
    """`${a[@]}` of an empty array is an unbound variable, before bash 4.4, under `set -u`."""
    if node.type == "subscript" and _text(node.child_by_field_name("index")) in ("@", "*"):
        whole, name = node.parent, _text(node.child_by_field_name("name"))
        assert whole is not None
        marks = {child.type for child in whole.children}
        if marks & {"#", "!", "+", "-", ":+", ":-"} or not _nounset(_root(node)):
            return
        if not any(_is_guard(above, name) for above in _above(whole)):
            yield f'{_text(whole)} of an empty array ends bash 3.2: ${{{name}[@]+"${{{name}[@]}}"}}'


def _is_guard(node: Node, name: str) -> bool:
    return node.type == "expansion" and bool(re.match(rf"\$\{{{name}\[[@*]\]:?\+", _text(node)))


def _nounset(root: Node) -> bool:
    words = (_command(node) for node in _below(root))
    shebang = re.match(r"#!\S+ (?:bash )?-[a-z]*u", _text(root))
    return bool(shebang) or any(
        name == "set" and re.search(r"(^|\s)-[a-zA-Z]*u|nounset", " ".join(map(_text, rest)))
        for name, rest in words
    )


def _expansions(node: Node) -> Iterator[str]:
    if node.type == "expansion":
        for child in node.children:
            if child.type in (",", ",,", "^", "^^"):
                yield "a change of case within an expansion is of bash 4"
            elif child.type == "@" and node.children[-2] is not child:
                yield "${x@Q} and its like are of bash 4.4"
        if re.search(r"^\$\{[^:]*:[^:]*:\s*-", _text(node)):
            yield "a negative length is of bash 4.2"
    elif node.type == "subscript" and _text(node.child_by_field_name("index")).startswith("-"):
        yield "a negative index is of bash 4.2"
    elif node.type == "ansi_c_string" and re.search(r"\\[uU]", _text(node)):
        yield "\\u in $'' is of bash 4.2"
    elif node.type == "variable_name" and _text(node) in (
        "BASHPID", "EPOCHSECONDS", "EPOCHREALTIME", "SRANDOM", "BASH_ARGV0",
    ):  # fmt: skip  # one glance
        yield f"{_text(node)} is of bash 4 or 5"


def _marks(node: Node) -> Iterator[str]:
    text = _text(node)
    if node.type in ("|&", "&>>", ";&", ";;&"):
        yield f"{node.type} is of bash 4"
    elif node.type == "test_operator" and text in ("-v", "-R"):
        yield "[[ -v ]] is of bash 4.2"
    elif node.type == "brace_expression" and re.search(r"\{-?0\d+\.\.|\.\.-?0\d+\}", text):
        yield "{01..10} has no zeros before bash 4"
    elif node.type == "concatenation" and re.search(r"\{[^{}]+\.\.[^{}]+\.\.[^{}]+\}", text):
        yield "{1..9..2} is of bash 4"
    elif node.type in ("word", "concatenation", "string") and re.match(r'"?/(proc|dev/shm)/', text):
        yield f"macOS has no {text}"
    elif node.type == "file_redirect" and re.match(r"\{\w+\}$", _before(node)):
        yield "exec {name}> is of bash 4.1"


def _before(node: Node) -> str:
    """The last word before a redirection."""
    words = (
        [child for child in node.parent.children if child.end_byte <= node.start_byte]
        if node.parent
        else []
    )
    return (
        _text(words[-1]).split(" ")[-1] if words and words[-1].end_byte == node.start_byte else ""
    )


def _substituted(node: Node) -> Iterator[str]:
    """Of old, bash looks for the end of `$(` by counting brackets and quotes."""
    if not any(above.type == "command_substitution" for above in _above(node)):
        return
    if node.type == "case_item" and not _text(node).startswith("("):
        yield "bash 3.2 ends $( at the ) of a case: write (pattern)"
    elif node.type == "comment" and (_text(node).count("'") % 2 or _text(node).count('"') % 2):
        yield "bash 3.2 looks for the other quote of a comment within $("


def _declared(node: Node) -> Iterator[str]:
    name, words = _command(node)
    if name in ("declare", "local", "typeset", "readonly", "export"):
        flags = "".join(_text(word)[1:] for word in words if re.match(r"-[a-zA-Z]", _text(word)))
        if unknown := set(flags) & set("Agnlu"):
            yield f"{name} -{''.join(sorted(unknown))} is of bash 4"


def _words(node: Node) -> Iterator[str]:
    """What the words of a command say; `env`, `command` and the like lead to another command."""
    name, nodes = _command(node)
    words = [_literal(word) for word in nodes]
    while name in ("command", "env", "exec", "nice", "nohup", "sudo", "xargs") and words:
        yield from _said(name, words)
        rest = [at for at, word in enumerate(words) if not re.match(r"-|\d+$|\w+=", word)]
        if not rest:
            return
        name, words = words[rest[0]], words[rest[0] + 1 :]
    if name:
        yield from _said(name, words)


def _said(name: str, words: list[str]) -> Iterator[str]:
    if name in ABSENT:
        yield f"macOS has no {name}"
    if name in BSD and any(re.match(r"--[a-z]", word) for word in words):
        yield f"BSD's {name} knows no long option"
    for rule in COMMANDS:
        if rule.name == name and rule.refuses(words):
            yield rule.reason


def _traps(node: Node) -> Iterator[str]:
    """Where an unset variable ends a script, bash 3.2 gives its trap on EXIT the status 0, and ends
    with that: only an assignment on the last line tells a script that came so far.
    """
    name, words = _command(node)
    texts = [_literal(word) for word in words if _text(word) != "--"]
    if name != "trap" or len(texts) < 2 or texts[0] in ("-", "") or not _HANDLERS & set(texts[1:]):
        return
    functions = (found for found in _below(_root(node)) if found.type == "function_definition")
    bodies = {_text(found.child_by_field_name("name")): _text(found) for found in functions}
    handler = bodies.get(texts[0], texts[0])
    last = _root(node).children[-1]
    mark = _text(last.child_by_field_name("name")) if last.type == "variable_assignment" else ""
    if not mark or not re.search(rf"\$\{{?{mark}\b.*\bexit\b", handler, re.DOTALL):
        yield "a trap on EXIT has to exit with a failure unless the last line has set a variable"


NODES: tuple[Callable[[Node], Iterator[str]], ...] = (
    _arrays, _expansions, _marks, _substituted, _declared, _words, _traps,
)  # fmt: skip  # one glance
