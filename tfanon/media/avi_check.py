"""Checks whether .avi can hold a video, by the packets of the original, before decoding a frame.

An .avi file stores neither times nor the start of a track, only frames at an even rate.
"""

import dataclasses
import fractions
import statistics
from collections.abc import Sequence

from tfanon.media import frame_reader, frame_times, video_reader, video_writer

NTSC_RATES = tuple(fractions.Fraction(1000 * rate, 1001) for rate in (24, 30, 60))
# Among rates that are equally near, the first is chosen.
COMMON_FRAME_RATES = (
    *map(fractions.Fraction, (24, 25, 30, 50, 60)),
    *NTSC_RATES,
    *map(fractions.Fraction, (10, 12, 15, 20)),
)
RATE_TOLERANCE = 1e-3  # relative error of a rate that a container derives from rounded times


@dataclasses.dataclass(frozen=True)
class PacketTimes:
    """Times of the frames and the sound of a video, read from its packets.

    Attributes:
        timestamps: Of the frames, ascending, from the start of the file's clock, in units of the
            time base; None if the packets have no times of their own.
        start: Second at which the frames begin.
        sounds: Per sound track the second at which it begins, and the seconds of its longest gap.
            A start before 0 counts as 0, as decoders only warm up on sound before it.
    """

    timestamps: list[int] | None
    start: float
    sounds: list[tuple[float, float]]


def fit_to_avi(video: video_reader.VideoReader) -> video_reader.VideoInfo:
    """Return a video's properties with the rate at which its frames lie in the slots of .avi.

    Args:
        video: The original, not yet iterated.

    Raises:
        ValueError: Its frames are not evenly spaced, or its sound starts at another time or has
            gaps.
    """
    times = _read_packet_times(video)
    info = choose_even_rate(video.info, times.timestamps)
    check_sound_alignment(info, times.start, times.sounds)
    return info


def _read_packet_times(video: video_reader.VideoReader) -> PacketTimes:
    """Read the times of a video without decoding it."""
    codec = video.stream.codec_context.codec.canonical_name
    timestamps: set[int] = set()
    first = None
    # per sound track, (time, duration) of each packet in seconds
    sound_packets: dict[int, list[tuple[float, float]]] = {}
    for sound in video.sound_tracks:
        sound_packets[sound.index] = []
    with frame_reader.open_container(video.path) as (container, stream):
        for packet in container.demux():
            if packet.pts is None:
                continue
            if packet.stream.index in sound_packets:
                time = float(packet.pts * packet.time_base)
                duration = float((packet.duration or 0) * packet.time_base)
                sound_packets[packet.stream.index].append((time, duration))
            if packet.stream is not stream:
                continue
            if not frame_times.holds_shown_frame(packet, codec):
                continue
            first = packet.pts if first is None else first
            # A frame before the first may refer to one that was cut away, and is dropped.
            if packet.pts >= first:
                timestamps.add(packet.pts)
    origin = float(video.origin * video.info.time_base)
    sounds = []
    for packets in sound_packets.values():
        if packets:
            start = max(0.0, packets[0][0] - origin)
            sounds.append((start, _find_longest_gap(packets)))
    # AVI itself stores no times: its frames lie in slots already.
    if video.container.format.name in frame_times.UNTIMED_CONTAINERS:
        return PacketTimes(None, 0.0, sounds)
    start = float(min(timestamps, default=0) * video.info.time_base) - origin
    if _has_derived_times(video):
        return PacketTimes(None, start, sounds)
    shifted = sorted(timestamp - video.origin for timestamp in timestamps)
    return PacketTimes(shifted, start, sounds)


def _has_derived_times(video: video_reader.VideoReader) -> bool:
    """Return whether libav derives most times of a video, as in MPEG program streams."""
    has_shifted_clock = video.container.format.name in frame_times.SHIFTED_CLOCK_CONTAINERS
    return has_shifted_clock and not frame_reader.has_time_per_frame(video.container, video.stream)


def _find_longest_gap(packets: list[tuple[float, float]]) -> float:
    """Return the longest silence between packets of sound, in seconds.

    In fragmented MP4, the packet before a gap is said to last as long as the gap, so no packet
    counts for more than twice the usual duration.

    Args:
        packets: (time, duration) of each, in seconds.
    """
    if len(packets) < 2:
        return 0.0
    usual = statistics.median(duration for _, duration in packets)
    longest = 0.0
    # Not strict: the last packet has none after it.
    for (time, duration), (next_time, _) in zip(packets, packets[1:], strict=False):
        longest = max(longest, next_time - time - min(duration, 2 * usual))
    return longest


def choose_even_rate(
    info: video_reader.VideoInfo, timestamps: Sequence[int] | None
) -> video_reader.VideoInfo:
    """Return the properties with the rate at which all frames lie in slots, as .avi needs it.

    Args:
        info: Of the original.
        timestamps: Of its frames, ascending, in units of the time base; None if they are slots
            already.

    Raises:
        ValueError: The times are uneven.
    """
    if not timestamps:
        return info
    tolerance = RATE_TOLERANCE * info.rate
    near = [rate for rate in COMMON_FRAME_RATES if abs(rate - info.rate) < tolerance]
    # A declared rate may come from rounded times: common rates near it are tried before it. Among
    # all others, the slowest that fits leaves the fewest slots empty.
    near.sort(key=lambda rate: abs(rate - info.rate))
    for rate in (*near, info.rate, *sorted(COMMON_FRAME_RATES)):
        positions = [(stamp - timestamps[0]) * info.time_base * rate for stamp in timestamps]
        slots = [round(position) for position in positions]
        errors = [
            abs(slot - position) / rate for slot, position in zip(slots, positions, strict=True)
        ]
        is_on_time = max(errors) <= video_writer.MAX_TIME_ERROR_SECONDS
        if is_on_time and len(set(slots)) == len(slots):  # no two frames in one slot
            return dataclasses.replace(info, rate=rate)
    problem = "The frames of the original are not evenly spaced"
    raise ValueError(video_writer.UNEVEN_TIMES_MESSAGE.format(problem))


def check_sound_alignment(
    info: video_reader.VideoInfo, start: float, sounds: Sequence[tuple[float, float]]
) -> None:
    """Refuse sound that starts before or after the frames, or has gaps: .avi stores no times.

    Args:
        info: Of the original, with the rate of the slots.
        start: Time of its first frame, in seconds.
        sounds: (start, longest gap) of the sound tracks to keep, in seconds.

    Raises:
        ValueError: A track starts more than one slot before or after the frames, or has a gap of
            more than one slot.
    """
    allowed = 1 / info.rate + video_writer.MAX_TIME_ERROR_SECONDS
    advice = (
        "which an .avi file cannot hold; .mkv, .mp4 and .mov files can. --audio=drop leaves it out."
    )
    for sound_start, gap in sounds:
        if gap > allowed:
            raise ValueError(f"The sound has a gap of {gap:.3f} s, {advice}")
        offset = sound_start - start
        if abs(offset) > allowed:
            raise ValueError(f"The sound begins {offset:+.3f} s from the first frame, {advice}")
