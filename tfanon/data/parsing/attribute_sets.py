"""Sets of private attributes, by their names in VISPR, in the order of the paper's Table 4.

A column is a tuple of VISPR attributes; it is 1 where any of them is. The order of VISPR1 follows
from the published counts per attribute, since Table 4 cuts off the last name.
"""

import numpy as np

VISPR1 = (
    "a17_color",
    "a4_gender",
    "a9_face_complete",
    "a10_face_partial",
    "a12_semi_nudity",
    "a64_rel_personal",
    "a65_rel_social",
)
VISPR2 = (
    "a6_hair_color",
    "a16_race",
    "a59_sports",
    "a1_age_approx",
    "a2_weight_approx",
    "a73_landmark",
    "a11_tattoo",
)
ATTRIBUTE_SETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "vispr1": tuple((name,) for name in VISPR1),
    "vispr2": tuple((name,) for name in VISPR2),
    "pa_hmdb51": tuple((name,) for name in VISPR1[:-1]),  # PA-HMDB51 has no label for a65
    # The five attributes that the authors of PA-HMDB51 train with.
    "vita": (
        ("a17_color",),
        ("a4_gender",),
        ("a9_face_complete", "a10_face_partial"),
        ("a12_semi_nudity",),
        ("a64_rel_personal", "a65_rel_social"),
    ),
}


def get_attribute_names(attribute_set: str) -> tuple[str, ...]:
    """Return the names of the columns of a set; the attributes of one column are joined by "|".

    Args:
        attribute_set: A key of ATTRIBUTE_SETS.
    """
    return tuple("|".join(column) for column in ATTRIBUTE_SETS[attribute_set])


def select_vispr_attributes(
    attributes: np.ndarray, all_names: tuple[str, ...], attribute_set: str
) -> np.ndarray:
    """Select the columns of a set from all attributes of VISPR.

    Args:
        attributes: Of 0 and 1, `[n, len(all_names)]`.
        all_names: Names of the columns of `attributes`.
        attribute_set: A key of ATTRIBUTE_SETS.

    Returns:
        float32 `[n, P]` of 0 and 1.
    """
    columns = []
    for names in ATTRIBUTE_SETS[attribute_set]:
        indices = [all_names.index(name) for name in names]
        # The largest of 0 and 1 is "any of them".
        columns.append(attributes[:, indices].max(axis=1))
    return np.stack(columns, axis=1).astype(np.float32)


def convert_pa_hmdb51_values(values: np.ndarray, attribute_set: str) -> np.ndarray:
    """Convert the values of PA-HMDB51 to the binary attributes of a set.

    For "pa_hmdb51" a fully visible face is a9, a partly visible one a10, and only semi-nudity (2)
    is a12. For "vita" any value but 0 counts, as its authors do. No published code says which
    values stood for which attribute in the paper.

    Args:
        values: uint8 `[frames, 5]`, as `annotations.read_frame_values` returns them.
        attribute_set: "pa_hmdb51" or "vita".

    Returns:
        float32 `[frames, P]` of 0 and 1.

    Raises:
        ValueError: PA-HMDB51 has no labels for the set.
    """
    # Bit 0 is the value 0, "not visible" for every attribute.
    skin, face, gender, nudity, relationship = ((values & 0b1110) > 0).T
    columns: tuple[np.ndarray, ...]
    if attribute_set == "vita":
        # In the order of ATTRIBUTE_SETS, which is not that of the annotations.
        columns = (skin, gender, face, nudity, relationship)
    elif attribute_set == "pa_hmdb51":
        partly_visible_face = values[:, 1] & 0b010 > 0
        visible_face = values[:, 1] & 0b100 > 0
        semi_nudity = values[:, 3] & 0b100 > 0
        columns = (skin, gender, visible_face, partly_visible_face, semi_nudity, relationship)
    else:
        raise ValueError(
            f"PA-HMDB51 has no labels for --attribute_set={attribute_set}; use pa_hmdb51 or vita."
        )
    return np.stack(columns, axis=1).astype(np.float32)
