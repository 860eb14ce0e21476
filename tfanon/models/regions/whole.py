"""Everything: no detector can miss anybody."""


def build():
    """None: no mask is needed."""
    return None
