"""The size at which an anonymizer was trained and its privacy measured; warnings at other sizes.

An anonymizer removes what it saw in training. One that was trained on frames of 48 x 48 pixels and
receives a face of 200 pixels leaves it recognisable, whatever the table of its run says.
"""

MAX_SIZE_RATIO = 1.5  # a side that is farther from the tested one, either way, counts as untested

Size = tuple[int, int]  # (height, width) in pixels


def format_size(size: Size) -> str:
    """Return a size as flags have it, such as '48x64' (height x width)."""
    return f"{size[0]}x{size[1]}"


def is_far(size: Size, tested: Size) -> bool:
    """Return whether a side is far larger or far smaller than the tested one."""
    sides = zip(size, tested, strict=True)
    far_smaller = any(side * MAX_SIZE_RATIO < tested_side for side, tested_side in sides)
    return far_smaller or is_far_larger(size, tested)


def is_far_larger(size: Size, tested: Size) -> bool:
    """Return whether a side is more than `MAX_SIZE_RATIO` times the tested one."""
    sides = zip(size, tested, strict=True)
    return any(side > MAX_SIZE_RATIO * tested_side for side, tested_side in sides)


def describe_untested_size(name: str, where: str, tested: Size) -> str:
    """Return the warning for a size at which nothing was measured.

    Args:
        name: Name of the anonymizer.
        where: The size at which it works now, such as 'at 224x224'.
        tested: The size at which it was trained.
    """
    tested_text = format_size(tested)
    return (
        f"{name} was trained and measured at {tested_text} and works {where} here: the privacy "
        f"figures of its table hold for {tested_text} alone, and people may be recognisable."
    )


def refuse_untested_size(name: str, where: str, tested: Size, alternative: str) -> None:
    """Raise the error for a size that is far from the tested one.

    Args:
        name: Name of the anonymizer.
        where: The size at which it would work, such as 'at 224x224'.
        tested: The size at which it was trained.
        alternative: What to do instead, without a full stop.

    Raises:
        ValueError: Always.
    """
    raise ValueError(
        f"{name} was trained and measured at {format_size(tested)}; {where} it may hide "
        f"far less than the privacy figures of its table say. {alternative}, or give "
        "--allow_untested_size."
    )
