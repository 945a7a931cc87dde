"""A browser's PDF made half as large: its many small objects, most of them tags, are put together and compressed.

The browser writes each object by itself and as plain text. Since PDF 1.5, objects that are no streams may lie in one.
"""

from __future__ import annotations

import re
import zlib

_TOGETHER = 200  # objects in a stream: a reader unpacks one stream to see one of them
_TABLE = re.compile(
    rb"xref\s+0 (\d+)\s+((?:\d{10} \d{5} [nf][ \r]?\r?\n)+)\s*trailer\s*<<(.*)>>\s*startxref", re.DOTALL
)
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
_OBJECT = re.compile(rb"\s*(\d+) 0 obj\b\s*(.*?)\s*endobj\s*\Z", re.DOTALL)


class PackingError(Exception):
    """The file is not as the browser writes it."""


def packed(content: bytes) -> bytes:
    """Give the same PDF with its objects in compressed streams.

    Args:
        content: A PDF with one table of cross-references and objects of generation 0, as the browser writes it.

    Raises:
        PackingError: If the file is laid out otherwise.
    """
    table = _TABLE.match(content, int(_last(rb"startxref\s+(\d+)", content)))
    if table is None:
        raise PackingError("the PDF has no table of cross-references where it says")
    offsets = [int(entry[1]) for entry in _ENTRY.finditer(table[2]) if entry[3] == b"n"]
    ends = dict(zip(sorted(offsets), [*sorted(offsets)[1:], table.start()], strict=True))
    bodies = {}
    for start, end in ends.items():
        found = _OBJECT.match(content[start:end])
        if found is None:
            raise PackingError(f"no object at byte {start}")
        bodies[int(found[1])] = found[2]
    return _written(bodies, _kept(table[3]))


def _last(pattern: bytes, content: bytes) -> bytes:
    found = re.findall(pattern, content[-200:])
    if not found:
        raise PackingError("the PDF does not say where its table of cross-references is")
    return found[-1]


def _kept(trailer: bytes) -> bytes:
    """Give the trailer's entries but the size, which changes."""
    return re.sub(rb"/Size \d+", b"", trailer)


def _written(bodies: dict[int, bytes], trailer: bytes) -> bytes:
    """Write the objects: streams as they are, the others in streams of many, then where each stands."""
    made = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    size = max(bodies) + 1
    places: dict[int, tuple[int, int, int]] = {0: (0, 0, 65535)}
    alone = {number: body for number, body in bodies.items() if body.endswith(b"endstream")}
    small = sorted(bodies.keys() - alone.keys())
    for start in range(0, len(small), _TOGETHER):
        group = small[start : start + _TOGETHER]
        alone[size] = _group(group, bodies)
        places |= {number: (2, size, place) for place, number in enumerate(group)}
        size += 1
    for number, body in alone.items():
        places[number] = (1, len(made), 0)
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    places[size] = (1, len(made), 0)
    rows = b"".join(
        kind.to_bytes(1, "big") + first.to_bytes(5, "big") + second.to_bytes(2, "big")
        for kind, first, second in (places.get(number, (0, 0, 0)) for number in range(size + 1))
    )
    table = _stream(b"/Type /XRef /Size %d /W [1 5 2] %b" % (size + 1, trailer), rows)
    return bytes(made) + b"%d 0 obj\n%b\nendobj\nstartxref\n%d\n%%%%EOF\n" % (size, table, places[size][1])


def _group(numbers: list[int], bodies: dict[int, bytes]) -> bytes:
    header, texts, length = [], [], 0
    for number in numbers:
        header.append(b"%d %d" % (number, length))
        texts.append(bodies[number])
        length += len(bodies[number]) + 1
    first = b" ".join(header) + b"\n"
    return _stream(b"/Type /ObjStm /N %d /First %d" % (len(numbers), len(first)), first + b"\n".join(texts))


def _stream(entries: bytes, content: bytes) -> bytes:
    short = zlib.compress(content, 9)
    return b"<<%b /Filter /FlateDecode /Length %d>> stream\n%b\nendstream" % (entries, len(short), short)
