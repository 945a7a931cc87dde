"""The smaller PDF holds the same objects as the one that the browser wrote."""

from __future__ import annotations

import io

import pytest

from dlnotes.book import packing

pypdf = pytest.importorskip("pypdf")


def plain(objects: dict[int, bytes], eol: bytes = b" \n") -> bytes:
    """Write objects as the browser does: each by itself, then a table."""
    made, places = b"%PDF-1.4\n", {}
    for number, body in objects.items():
        places[number] = len(made)
        made += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    rows = b"".join(b"%010d 00000 n%b" % (places[number], eol) for number in sorted(places))
    size = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f%b%b" % (size, eol, rows)
    return made + table + b"trailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(made))


SHOWN = b"BT (endobj) Tj ET"
OBJECTS = {
    1: b"<</Type /Catalog /Pages 2 0 R /Marks [5 0 R 6 0 R]>>",
    2: b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
    3: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R>>",
    4: b"<</Length %d>> stream\n%b\nendstream" % (len(SHOWN), SHOWN),
    5: b"(a \\(b\\) >> trailer)",
    6: b"[1 2.5 /Name null]",
}


def test_every_object_is_read_as_before():
    read = pypdf.PdfReader(io.BytesIO(packing.packed(plain(OBJECTS))))
    root = read.trailer["/Root"]
    assert root["/Marks"][0].get_object() == "a (b) >> trailer"
    assert root["/Marks"][1].get_object() == [1, 2.5, "/Name", pypdf.generic.NullObject()]
    assert len(read.pages) == 1
    assert read.pages[0]["/Contents"].get_data() == SHOWN


def test_many_objects_take_less_room_and_keep_their_numbers():
    many = OBJECTS | {number: b"<</Type /StructElem /P 1 0 R /K %d>>" % number for number in range(7, 1000)}
    content = plain(many)
    short = packing.packed(content)
    assert len(short) < len(content) / 5
    read = pypdf.PdfReader(io.BytesIO(short))
    for number in (7, 206, 207, 999):
        assert pypdf.generic.IndirectObject(number, 0, read).get_object()["/K"] == number


@pytest.mark.parametrize(
    "content",
    [b"", b"no PDF", plain(OBJECTS)[:-40], plain(OBJECTS).replace(b"xref\n0 7", b"xref\n3 4"), b"x" + plain(OBJECTS)],
    ids=["nothing", "text", "cut off", "table of a part", "moved"],
)
def test_what_is_laid_out_otherwise_is_refused(content):
    with pytest.raises(packing.PackingError):
        packing.packed(content)
