"""How many digits an answer has: members' answers may be replayed, rounded or computed in another precision."""

from __future__ import annotations

import numpy as np

from pytest_mia.core.types import FloatArray

MOST = {np.dtype(np.float64): 9, np.dtype(np.float32): 4}
"""Digits that are counted; more are nothing but "many", since chance makes such numbers too."""
TOLERANCE = 4
"""By how many units in the last place a number may miss one of few digits."""
LARGEST = 1e6
BITS = (8, 11, 24)
"""Bits of a bfloat16, of a half and of a single precision number."""
COARSE = 4
"""Decimals up to which answers may have few bits by chance."""
APART = 2
"""Rounded to so many digits, one answer in ten has a digit less, and one in a hundred two less."""
FEWEST = 0.01


def digits_of(values: FloatArray) -> FloatArray:
    """Count the digits of a model's answers.

    Parameters
    ----------
    values
        What it answers (records, columns), in its own type.

    Returns
    -------
    FloatArray
        (records, 3): the most decimals, the most significant digits and the most bits (as the place in `BITS`) of any
        number of a record's answer.
    """
    known = np.nan_to_num(np.where(np.abs(values) < LARGEST, values, np.pi).astype(values.dtype))
    most = MOST.get(known.dtype, 4)
    found, left = np.zeros((len(known), 3)), np.arange(len(known))
    for column in known.T:
        found[left] = np.maximum(found[left], _digits_of_numbers(column[left], most))
        # Where one number has many of each, as most answers do, the others change nothing.
        left = left[(found[left] < (most + 1, most + 1, len(BITS))).any(axis=1)]
        if not len(left):
            break
    return found


def _digits_of_numbers(known: FloatArray, most: int) -> FloatArray:
    """The three counts (numbers, 3) of single numbers."""
    wide, close = known.astype(np.float64), TOLERANCE * float(np.finfo(known.dtype).eps)
    power = np.floor(np.log10(np.where(np.abs(wide) > 1e-200, np.abs(wide), 1.0)))
    decimals = _count(wide, np.zeros_like(wide), most, close)
    significant = _count(wide, -power - 1, most, close)
    return np.stack([decimals, significant, _bits(known)], axis=-1)


def _count(values: FloatArray, scale: FloatArray, most: int, close: float) -> FloatArray:
    """Digits after a place, by which numbers are shifted; 0 to `most`, and one more for many."""
    found, left = np.full(values.shape, most + 1.0), np.arange(len(values))
    for digits in range(most + 1):
        factor = 10.0 ** (scale[left] + digits)
        rounded = np.rint(values[left] * factor) / factor
        fits = np.abs(rounded - values[left]) <= close * np.abs(values[left])
        found[left[fits]] = digits
        left = left[~fits]
    return found


def _bits(values: FloatArray) -> FloatArray:
    """Place in `BITS` of the first that holds the number's mantissa; their number where none does."""
    mantissa, _ = np.frexp(values.astype(np.float64))
    found = np.full(values.shape, float(len(BITS)))
    for place in reversed(range(len(BITS))):
        scaled = mantissa * 2.0 ** BITS[place]
        found[scaled == np.rint(scaled)] = place
    return found


def digits_tell(digits: FloatArray) -> bool:
    """Whether some answers (models, records, 3) have far fewer digits than others, other than those of 0 and 1."""
    fractions = digits[digits[..., 0] > 0]
    if not len(fractions):
        return False
    # Of decimals such as 0.5 and 0.3 one has few bits and the other many.
    short = fractions.max(axis=0) - fractions >= APART
    short[:, 2] &= (fractions[:, :2] > COARSE).all(axis=1)
    return bool((short.sum(axis=0) >= FEWEST * len(fractions)).any())
