"""Makes of KaTeX's MathML what browsers set by themselves, so that a formula is one small tree and no style sheet."""

from __future__ import annotations

import re
from xml.etree import ElementTree

Element = ElementTree.Element

_NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'
_TOKENS = ("mi", "mn", "mo", "mtext", "ms")
# A browser knows no variant but "normal": the letters of others have characters of their own. Each alphabet is given by
# where its capitals, small letters and digits begin; the holes that Unicode filled earlier are in _EARLIER.
_ALPHABETS = {
    "bold": (0x1D400, 0x1D41A, 0x1D7CE),
    "italic": (0x1D434, 0x1D44E, None),
    "bold-italic": (0x1D468, 0x1D482, None),
    "script": (0x1D49C, 0x1D4B6, None),
    "fraktur": (0x1D504, 0x1D51E, None),
    "double-struck": (0x1D538, 0x1D552, 0x1D7D8),
}
_EARLIER = {
    0x1D455: 0x210E, 0x1D49D: 0x212C, 0x1D4A0: 0x2130, 0x1D4A1: 0x2131, 0x1D4A3: 0x210B, 0x1D4A4: 0x2110,
    0x1D4A7: 0x2112, 0x1D4A8: 0x2133, 0x1D4AD: 0x211B, 0x1D4BA: 0x212F, 0x1D4BC: 0x210A, 0x1D4C4: 0x2134,
    0x1D506: 0x212D, 0x1D50B: 0x210C, 0x1D50C: 0x2111, 0x1D515: 0x211C, 0x1D51D: 0x2128,
    0x1D53A: 0x2102, 0x1D53F: 0x210D, 0x1D545: 0x2115, 0x1D547: 0x2119, 0x1D548: 0x211A, 0x1D549: 0x211D,
    0x1D551: 0x2124,
}  # fmt: skip
_BETWEEN = frozenset("=≠<>≤≥≈∼∝→←⟶∈≪≫≔+−±×⋅")


class Unknown(Exception):
    """Something that cannot be set without KaTeX's own style sheet."""


def parts(html: str, display: bool) -> list[str]:
    """Give the formula as `<math>` elements, cut behind the signs between its terms, where a line may break."""
    math = ElementTree.fromstring(html.replace(_NAMESPACE, ""))[0]
    body = math[0][0]
    for node in body.iter():
        _plain(node)
    pieces = [[body]] if display or body.tag != "mrow" else _cut(list(body))
    kind = ' display="block"' if display else ""
    return [f"<math{kind}>{''.join(map(_text, piece))}</math>" for piece in pieces]


def _plain(node: Element) -> None:
    """Write in characters what browsers do not read as an attribute."""
    if node.tag in _TOKENS and len(node):
        raise Unknown(f"{node.tag} with something stacked on it cannot be set in MathML")
    variant = node.attrib.get("mathvariant")
    if variant == "normal" and node.tag != "mi":
        del node.attrib["mathvariant"]
    elif variant not in (None, "normal"):
        del node.attrib["mathvariant"]
        node.text = "".join(_letter(sign, variant) for sign in node.text or "")
    if node.tag == "mo" and node.text in ("\u2026", "\u22ef"):  # dots stand for a term: no space of an operator
        node.tag = "mi"
    if node.tag == "mo" and node.text == "\u2225" and node.attrib.get("stretchy") == "false":  # the bars of a length
        node.attrib |= {"lspace": "0", "rspace": "0"}
    if node.tag == "mo" and node.attrib.get("separator"):
        del node.attrib["separator"]


def _letter(sign: str, variant: str) -> str:
    if variant not in _ALPHABETS:
        raise Unknown(f"letters in {variant} cannot be set in MathML")
    for first, start in zip("Aa0", _ALPHABETS[variant], strict=True):
        if start is not None and 0 <= ord(sign) - ord(first) < (10 if first == "0" else 26):
            place = start + ord(sign) - ord(first)
            return chr(_EARLIER.get(place, place))
    raise Unknown(f"{sign!r} in {variant} cannot be set in MathML")


def _cut(children: list[Element]) -> list[list[Element]]:
    """Cut behind what stands between two terms; a sign behind another one belongs to its term."""
    pieces: list[list[Element]] = [[]]
    for number, child in enumerate(children):
        pieces[-1].append(child)
        inside = 0 < number < len(children) - 1 and children[number - 1].tag != "mo"
        if inside and child.tag == "mo" and (child.text or "") in _BETWEEN:
            child.set("form", "infix")
            pieces.append([])
    return pieces


def _text(node: Element) -> str:
    return re.sub(r"<mrow ?/>|<mrow></mrow>", "<mrow></mrow>", ElementTree.tostring(node, "unicode"))
