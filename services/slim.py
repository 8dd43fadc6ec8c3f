#!/usr/bin/env python3
"""Take the debug information out of the compiled modules of a virtual environment.

    python services/slim.py /opt/borough

This is 38 of the 117 MB of the shop's, which has no `strip` at hand. A module is only cut short: a
loader maps the segments that a file's head names, the sections behind them are for a debugger.
"""

import struct
import sys
from pathlib import Path

ELF64_LITTLE = b"\x7fELF\x02\x01"
"""How a file begins that `cut` can read; any other is left as it is."""
TABLE, ENTRY, SECTIONS, SECTION_COUNT = 32, 54, 40, 60
"""Offsets in the head: of the segments' table, its entries' size and number, and the same of the
sections (elf(5): e_phoff, e_phentsize and e_phnum, e_shoff, e_shnum and e_shstrndx)."""
OFFSET, SIZE = 8, 32
"""Offsets in an entry: where a segment begins in the file, and its bytes (p_offset, p_filesz)."""


def cut(module: Path) -> None:
    """Shorten a compiled module to its segments and their table."""
    elf = bytearray(module.read_bytes())
    if not elf.startswith(ELF64_LITTLE):
        return
    (table,) = struct.unpack_from("<Q", elf, TABLE)
    width, number = struct.unpack_from("<HH", elf, ENTRY)
    ends = [table + width * number]
    for entry in range(table, ends[0], width):
        (begin,) = struct.unpack_from("<Q", elf, entry + OFFSET)
        (size,) = struct.unpack_from("<Q", elf, entry + SIZE)
        ends.append(begin + size)
    struct.pack_into("<Q", elf, SECTIONS, 0)
    struct.pack_into("<HH", elf, SECTION_COUNT, 0, 0)
    module.write_bytes(elf[: max(ends)])


if __name__ == "__main__":
    for path in Path(sys.argv[1]).rglob("*.so*"):
        cut(path)
