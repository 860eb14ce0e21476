"""The trade-off between utility and leakage: the Pareto front of a sweep, and one number for a set.

Every measure is taken inside a box whose corners are measured too: raw video (all of the leakage,
all of the action accuracy) and chance (none of either). An operating point becomes

    privacy = 1 - leakage / leakage of raw,    utility = (top-1 - chance) / (top-1 of raw - chance),

both clipped to [0, 1]. Raw video is (0, 1), chance is (1, 0), and (1, 1) is the ideal. Leakage is
above chance, so that 0 is what an attacker learns who sees nothing.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True)
class ReferenceBox:
    """The corners of the box, each score in [0, 1].

    Attributes:
        raw_leakage: Leakage above chance of raw video.
        raw_top1: Top-1 action accuracy on raw video.
        chance_top1: Chance level of the top-1 accuracy.

    Raises:
        ValueError: A corner is not finite, or raw video is no better than chance.
    """

    raw_leakage: float
    raw_top1: float
    chance_top1: float

    def __post_init__(self) -> None:
        _check_finite("reference points", [self.raw_leakage, self.raw_top1, self.chance_top1])
        if self.raw_leakage <= 0 or self.raw_top1 <= self.chance_top1:
            raise ValueError(
                f"Raw video leaks {self.raw_leakage:.3g} above chance, its top-1 is "
                f"{self.raw_top1:.3g} and that of chance {self.chance_top1:.3g}. Networks that "
                "recognise nothing in raw video cannot measure an anonymizer: train them longer."
            )

    def normalize(self, leakages: ArrayLike, top1s: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Convert operating points to their place in the box.

        Args:
            leakages: Leakage above chance of each point, ``[N]``.
            top1s: Top-1 accuracy of each point, ``[N]``.

        Returns:
            (privacy ``[N]``, utility ``[N]``), each in [0, 1].

        Raises:
            ValueError: A value is not finite, or shapes differ.
        """
        leakages, top1s = _check_finite("leakages", leakages), _check_finite("top-1", top1s)
        if leakages.shape != top1s.shape or leakages.ndim != 1:
            raise ValueError(
                f"Leakages are {leakages.shape} and top-1 {top1s.shape}; give one of each per "
                "operating point."
            )
        # Beyond raw video or below chance is clipped: noise of the measurement, not a better point.
        utility = (top1s - self.chance_top1) / (self.raw_top1 - self.chance_top1)
        return np.clip(1.0 - leakages / self.raw_leakage, 0, 1), np.clip(utility, 0, 1)


def find_pareto_front(leakages: ArrayLike, top1s: ArrayLike) -> list[int]:
    """Find the operating points that no other dominates.

    A point dominates another if its leakage is no higher and its top-1 no lower, and one of the two
    is better. Equal points are all kept.

    Args:
        leakages: Leakage of each point, ``[N]``.
        top1s: Top-1 accuracy of each point, ``[N]``.

    Returns:
        Row numbers of the front, from the least leakage to the most.

    Raises:
        ValueError: A value is not finite.
    """
    leakages, top1s = _check_finite("leakages", leakages), _check_finite("top-1", top1s)
    dominated = []
    for leakage, top1 in zip(leakages, top1s, strict=True):
        is_no_worse = (leakages <= leakage) & (top1s >= top1)
        is_better = (leakages < leakage) | (top1s > top1)
        dominated.append(np.any(is_no_worse & is_better))
    front = np.flatnonzero(~np.array(dominated, bool))
    # np.lexsort sorts by its last key first.
    return front[np.lexsort((top1s[front], leakages[front]))].tolist()


def hypervolume(leakages: ArrayLike, top1s: ArrayLike, reference: ReferenceBox) -> float:
    """Compute the fraction of the box that the points dominate, from (privacy 0, utility 0).

    A further point never lowers it.

    Args:
        leakages: Leakage above chance of each point, ``[N]``.
        top1s: Top-1 accuracy of each point, ``[N]``.
        reference: Corners of the box.

    Returns:
        0 if all points are as bad as raw video or chance; 1 if one leaks nothing at no cost.
    """
    privacy, utility = reference.normalize(leakages, top1s)
    dominated, height = 0.0, 0.0
    # From the most private point on, each adds the strip by which it is higher.
    for row in np.lexsort((-utility, -privacy)):
        if utility[row] > height:
            dominated += privacy[row] * (utility[row] - height)
            height = utility[row]
    return float(dominated)


def area_under_front(leakages: ArrayLike, top1s: ArrayLike, reference: ReferenceBox) -> float:
    """Compute the area under utility over privacy, in straight lines from raw video to chance.

    This is how SEBA summarises a sweep, with both ends added. An anonymizer that shows either raw
    video or nothing, by the toss of a coin, gets 0.5. Only points that neither another point nor an
    end dominates count; a poor one among them can lower the area.

    Args:
        leakages: Leakage above chance of each point, ``[N]``.
        top1s: Top-1 accuracy of each point, ``[N]``.
        reference: Corners of the box.
    """
    privacy, utility = reference.normalize(leakages, top1s)
    # Rows of the two ends, which are appended.
    raw, chance = len(privacy), len(privacy) + 1
    privacy, utility = np.append(privacy, [0.0, 1.0]), np.append(utility, [1.0, 0.0])
    by_falling_leakage = find_pareto_front(1.0 - privacy, utility)[::-1]
    between = [row for row in by_falling_leakage if row not in (raw, chance)]
    # The ends stay even where a point dominates them: the curve starts and stops there.
    order = [raw, *between, chance]
    return float(np.trapezoid(utility[order], privacy[order]))


def _check_finite(description: str, values: ArrayLike) -> np.ndarray:
    """Return values as float64 after checking that none is NaN or infinite."""
    values = np.asarray(values, np.float64)
    is_finite = np.isfinite(values)
    if not is_finite.all():
        raise ValueError(
            f"{int((~is_finite).sum())} of {values.size} {description} are NaN or infinite. Leave "
            "out what could not be measured, and report it."
        )
    return values
