"""The private attributes that judges are asked for, by their names in VISPR, in the order of the paper's Table 4.

A column is a tuple of VISPR attributes, any of which makes it 1. The order of VISPR1 was proved by its counts; Table 4
cuts the last name off.
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
ATTRIBUTE_SETS = {
    "vispr1": tuple((name,) for name in VISPR1),
    "vispr2": tuple((name,) for name in VISPR2),
    "pa_hmdb51": tuple((name,) for name in VISPR1[:-1]),  # PA-HMDB51 has no label for a65
    "vita": (
        ("a17_color",),
        ("a4_gender",),
        ("a9_face_complete", "a10_face_partial"),
        ("a12_semi_nudity",),
        ("a64_rel_personal", "a65_rel_social"),
    ),  # the five of the authors of PA-HMDB51
}


def get_attribute_names(attribute_set):
    """Names of the columns of a set."""
    return tuple("|".join(column) for column in ATTRIBUTE_SETS[attribute_set])


def select_vispr_attributes(attributes, all_names, attribute_set):
    """float32 [n, P] of a set, from all attributes of VISPR, [n, len(all_names)]."""
    return np.stack(
        [
            attributes[:, [all_names.index(name) for name in column]].max(axis=1)
            for column in ATTRIBUTE_SETS[attribute_set]
        ],
        axis=1,
    ).astype(np.float32)


def convert_pa_hmdb51_values(values, attribute_set):
    """float32 [frames, P] of a set, from PA-HMDB51's values uint8 [frames, 5].

    "pa_hmdb51": a fully visible face is a9, a partly visible one a10, semi-nudity (2) alone is a12. "vita": any value
    but 0 counts, as its authors do.  No published code says which values stood for which attribute in the paper.
    """
    skin, face, gender, nudity, relationship = ((values & 0b1110) > 0).T
    if attribute_set == "vita":
        columns = (skin, gender, face, nudity, relationship)
    elif attribute_set == "pa_hmdb51":
        complete, partial, semi = values[:, 1] & 4 > 0, values[:, 1] & 2 > 0, values[:, 3] & 4 > 0
        columns = (skin, gender, complete, partial, semi, relationship)
    else:
        raise ValueError(
            f"PA-HMDB51 has no labels for --attribute_set={attribute_set}; it has pa_hmdb51 and vita."
        )
    return np.stack(columns, axis=1).astype(np.float32)
