"""Text → the same in the signs that a stream can show, without question marks.

In: text and an encoding. Out: text. What the encoding lacks is spelled: ≤ as <=, ∂ as d, σ as
sigma.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_SPELLED: Final = {
    "≤": "<=", "≥": ">=", "≈": "~", "−": "-", "·": "*", "×": "x", "⊙": "(*)", "⊘": "(/)",
    "∂": "d", "∏": "prod", "∑": "sum", "√": "sqrt", "∞": "inf", "∈": "in", "‖": "||", "′": "'",
    "→": "->", "←": "<-", "…": "...", "⋯": "...", "–": "-", "—": "-", "“": '"', "”": '"',
    "‘": "'", "’": "'", "ᵀ": "^T", "⁻": "^-", "¹": "^1", "²": "^2", "³": "^3",
    "₀": "_0", "₁": "_1", "₂": "_2", "ₜ": "_t", "±": "+-", "⃖": "_carry", "\u0304": "_bar",
    "\u0303": "_tilde", "\u0302": "_hat", "ℝ": "R", "𝟙": "1", "⊤": "T", "°": " deg", "∎": "[]",
    "，": ", ", "。": ". ", "：": ": ", "；": "; ", "（": " (", "）": ") ", "、": ", ",
}  # fmt: skip


def shown_in(text: str, encoding: str) -> str:
    """The text, each sign that the encoding lacks spelled in those that it has."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_sign(sign, encoding) for sign in unicodedata.normalize("NFD", text))
    return text


def _sign(sign: str, encoding: str) -> str:
    if _has(sign, encoding):
        return sign
    if sign in _SPELLED:
        return _SPELLED[sign]
    plain = unicodedata.normalize("NFKD", sign)
    if plain != sign:
        return "".join(_sign(part, encoding) for part in plain)
    name = unicodedata.name(sign, "")
    if unicodedata.combining(sign):
        return ""
    if name.startswith("GREEK "):
        letter = name.split()[-1].lower()
        return letter.capitalize() if " CAPITAL " in name else letter
    return f"U+{ord(sign):04X}"


def _has(sign: str, encoding: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
