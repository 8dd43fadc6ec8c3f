#!/usr/bin/env python3
"""Take out of a virtual environment what nothing that runs from it ever reads.

    python services/slim.py /opt/borough

Of the image's 170 MB this is more than 50: debug information in compiled modules, tests, stubs. A
compiled module is only ever cut short: a loader maps the segments that a file's head names, the
sections behind them are for a debugger.
"""

import shutil
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("tests", "numpy/f2py", "sqlalchemy/testing")
"""Wherever they are: tests of libraries, and what two of them bring for building upon them."""
FILES = ("*.pyi", "*.pxd", "*.pyx", "*.h", "bin/*activate*")
"""For type checkers, compilers and shells."""

ELF64_LITTLE = b"\x7fELF\x02\x01"
"""How a file begins that `cut` can read; any other is left as it is."""
TABLE, ENTRY, SECTIONS, SECTION_COUNT = 32, 54, 40, 60
"""Places in the head: of the segments' table, its entries' size and number, and the same of the
sections (elf(5): e_phoff, e_phentsize and e_phnum, e_shoff, e_shnum and e_shstrndx)."""
OFFSET, SIZE = 8, 32
"""Places in an entry: where a segment begins in the file, and its bytes (p_offset, p_filesz)."""


def cut(module: Path) -> None:
    """Shorten a compiled module to its segments."""
    elf = bytearray(module.read_bytes())
    if not elf.startswith(ELF64_LITTLE):
        return
    size = max(_ends(elf))
    struct.pack_into("<Q", elf, SECTIONS, 0)
    struct.pack_into("<HH", elf, SECTION_COUNT, 0, 0)
    module.write_bytes(elf[:size])


def _ends(elf: bytearray) -> Iterator[int]:
    """Where each segment ends, and their table."""
    (table,) = struct.unpack_from("<Q", elf, TABLE)
    width, number = struct.unpack_from("<HH", elf, ENTRY)
    yield table + width * number
    for entry in range(table, table + width * number, width):
        (begin,) = struct.unpack_from("<Q", elf, entry + OFFSET)
        (size,) = struct.unpack_from("<Q", elf, entry + SIZE)
        yield begin + size


def slim(environment: Path) -> None:
    """Do so to a whole environment."""
    for folder in FOLDERS:
        for path in tuple(environment.rglob(folder)):
            shutil.rmtree(path)
    for pattern in FILES:
        for path in tuple(environment.rglob(pattern)):
            path.unlink()
    for module in environment.rglob("*.so*"):
        cut(module)


if __name__ == "__main__":
    slim(Path(sys.argv[1]))
