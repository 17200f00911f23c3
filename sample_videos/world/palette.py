"""Colours as seen: each named colour in several natural shades, and the shading of any colour.

A colour is an int 0xAARRGGBB, as skia takes it.
"""

from __future__ import annotations

from .scene import Colour

__all__ = ["CARDBOARD", "REFLECTIVE", "darker", "fluorescent", "lighter", "mix", "rgb", "shade", "with_alpha"]

_SHADES: dict[Colour, tuple[int, ...]] = {
    Colour.RED: (0xFFC8261F, 0xFFB51C24, 0xFFD63A2C, 0xFFA91B1B),
    Colour.ORANGE: (0xFFE8741A, 0xFFF0821F, 0xFFDD6413, 0xFFEE7B2E),
    Colour.YELLOW: (0xFFF2C414, 0xFFEFCB2E, 0xFFF6D032, 0xFFE8B90E),
    Colour.GREEN: (0xFF2E8B3D, 0xFF3B9A4A, 0xFF257A3C, 0xFF4A9B3A),
    Colour.BLUE: (0xFF2459A9, 0xFF1F4E96, 0xFF3470C4, 0xFF2A63B8),
    Colour.WHITE: (0xFFF1F0EC, 0xFFEAECEE, 0xFFF5F3EE, 0xFFE9E7E1),
    Colour.BLACK: (0xFF23252A, 0xFF1E1F22, 0xFF2A2926, 0xFF25282F),
    Colour.GREY: (0xFF83888D, 0xFF767B80, 0xFF8F918F, 0xFF7C7F86),
}

_FLUORESCENT: dict[Colour, int] = {
    Colour.YELLOW: 0xFFE3F221,
    Colour.ORANGE: 0xFFFF6A13,
    Colour.GREEN: 0xFF3FE04A,
    Colour.RED: 0xFFFF3B30,
    Colour.BLUE: 0xFF2F8CFF,
}

REFLECTIVE = 0xFFDDE2E4
CARDBOARD = (0xFFC39A6B, 0xFFB88D5C, 0xFFCDA678, 0xFFAF8557)


def rgb(colour: Colour, look: int = 0) -> int:
    """One of the natural shades of a named colour, chosen by `look`."""
    shades = _SHADES[colour]
    return shades[look % len(shades)]


def fluorescent(colour: Colour, look: int = 0) -> int:
    """The saturated shade of a hi-vis garment; colours without one keep their natural shade."""
    return _FLUORESCENT.get(colour, rgb(colour, look))


def shade(colour: int, factor: float) -> int:
    """The same colour in less light (factor under 1 multiplies) or more (factor over 1 mixes in white)."""
    if factor > 1.0:
        return mix(colour, 0xFFFFFFFF, min(1.0, factor - 1.0))
    return mix(colour, (colour & 0xFF000000) | 0x0A0C14, 1.0 - max(0.0, factor))


def lighter(colour: int, amount: float = 0.2) -> int:
    """The colour moved by `amount` (0 to 1) towards white."""
    return shade(colour, 1.0 + amount)


def darker(colour: int, amount: float = 0.25) -> int:
    """The colour moved by `amount` (0 to 1) towards a cold black, as shadows are."""
    return shade(colour, 1.0 - amount)


def mix(first: int, second: int, amount: float) -> int:
    """The blend of two colours, alpha of the first kept: `amount` 0 is the first, 1 the second."""
    result = first & 0xFF000000
    for shift in (16, 8, 0):
        a = (first >> shift) & 0xFF
        b = (second >> shift) & 0xFF
        result |= min(255, max(0, round(a + (b - a) * amount))) << shift
    return result


def with_alpha(colour: int, alpha: float) -> int:
    """The colour at an opacity of 0 to 1."""
    return (round(255 * min(1.0, max(0.0, alpha))) << 24) | (colour & 0xFFFFFF)
