"""Whether .avi can hold a video: it stores neither times nor the start of a track, only frames at an even rate.

By the packets of the original, before a frame is decoded.
"""

import dataclasses
import fractions
import statistics
from collections.abc import Sequence

from tfanon.media import frame_reader, picture_times, video_reader, video_writer

COMMON_FRAME_RATES = (
    24,
    25,
    30,
    50,
    60,
    *(fractions.Fraction(1000 * rate, 1001) for rate in (24, 30, 60)),
    10,
    12,
    15,
    20,
)
RATE_TOLERANCE = 1e-3  # share by which a rate that a container derives from rounded times may be off


def fit_to_avi(video: video_reader.VideoReader) -> video_reader.VideoInfo:
    """The form of a video with the rate at which all its frames lie in the slots of an .avi file.

    Raises:
        ValueError: Its frames are not evenly spaced, or its sound begins elsewhere than they or has gaps.
    """
    stamps, begin, sounds = _read_packet_times(video)
    form = choose_even_rate(video.form, stamps)
    check_sound_alignment(form, begin, sounds)
    return form


def _read_packet_times(
    video: video_reader.VideoReader,
) -> tuple[list[int] | None, float, list[tuple[float, float]]]:
    """Times by the packets, without decoding.

    Returns:
        Those of the pictures, ascending, in units of the time base, or None where packets have none of their own; the
        second at which the pictures begin; and of each of the sounds the second at which it begins (before 0 counted
        as 0, since there is what decoders start on) and the length of its longest gap.
    """
    codec, stamps, first = video.stream.codec_context.codec.canonical_name, set(), None
    heard: dict[int, list[tuple[float, float]]] = {sound.index: [] for sound in video.sounds}
    with frame_reader.open_container(video.path) as (container, stream):
        for packet in container.demux():
            if packet.pts is None:
                continue
            if packet.stream.index in heard:
                seconds = (
                    float(packet.pts * packet.time_base),
                    float((packet.duration or 0) * packet.time_base),
                )
                heard[packet.stream.index].append(seconds)
            if packet.stream is not stream or not picture_times.holds_shown_frame(packet, codec):
                continue
            first = packet.pts if first is None else first
            if packet.pts >= first:  # else it may need a picture that was cut away, and is left out
                stamps.add(packet.pts)
    origin = float(video.origin * video.stream.time_base)
    sounds = [
        (max(0.0, packets[0][0] - origin), _find_longest_gap(packets))
        for packets in heard.values()
        if packets
    ]
    name = video.container.format.name
    if name in video_reader.UNTIMED_CONTAINERS:
        return None, 0.0, sounds
    begin = float(min(stamps, default=0) * video.stream.time_base) - origin
    derived = name in video_reader.SHIFTED_CLOCK_CONTAINERS and not frame_reader.has_time_per_frame(
        video.container, video.stream
    )
    return (None if derived else sorted(stamp - video.origin for stamp in stamps)), begin, sounds


def _find_longest_gap(packets: list[tuple[float, float]]) -> float:
    """The longest silence between packets of sound, in seconds.

    Fragments of MP4 say that the packet before a gap lasts as long as the gap; so no packet counts for longer than most do.

    Args:
        packets: (time, duration) of each, in seconds.
    """
    if len(packets) < 2:
        return 0.0
    usual = statistics.median(duration for _, duration in packets)
    gaps = [
        then - time - min(duration, 2 * usual)
        for (time, duration), (then, _) in zip(packets, packets[1:])
    ]
    return max(0.0, *gaps)


def choose_even_rate(form: video_reader.VideoInfo, stamps: Sequence[int] | None) -> video_reader.VideoInfo:
    """The form with the rate at which all its frames lie in slots, as .avi needs it.

    Args:
        form: Of the original.
        stamps: Of its frames, ascending, in the form's time base; None where they are slots already.

    Raises:
        ValueError: The times are uneven.
    """
    if not stamps:
        return form
    near = [rate for rate in COMMON_FRAME_RATES if abs(rate - form.rate) < RATE_TOLERANCE * form.rate]
    near.sort(key=lambda rate: abs(rate - form.rate))
    for rate in (*near, form.rate, *sorted(COMMON_FRAME_RATES)):
        places = [(stamp - stamps[0]) * form.time_base * rate for stamp in stamps]
        slots = [round(place) for place in places]
        off = max(abs(slot - place) / rate for slot, place in zip(slots, places))
        if off <= video_writer.MAX_TIME_ERROR_SECONDS and len(set(slots)) == len(slots):
            return dataclasses.replace(form, rate=fractions.Fraction(rate))
    raise ValueError(video_writer.UNEVEN_TIMES_MESSAGE.format("The frames of the original are not evenly spaced"))


def check_sound_alignment(
    form: video_reader.VideoInfo, begin: float, sounds: Sequence[tuple[float, float]]
) -> None:
    """Refuse sound that begins elsewhere than the frames, or has gaps: .avi stores sound without times.

    Args:
        form: Of the original, whose rate is that of the slots.
        begin: Time of its first frame, in seconds.
        sounds: (start, longest gap) of its sound tracks that are to be kept, likewise.

    Raises:
        ValueError: A track begins more than one slot before or after the frames, or has a gap of more than one.
    """
    allowed = 1 / form.rate + video_writer.MAX_TIME_ERROR_SECONDS
    for start, gap in sounds:
        if gap > allowed:
            raise ValueError(
                f"The sound has a gap of {gap:.3f} s, which an .avi file cannot hold; .mkv, .mp4 and .mov "
                "files can. --audio=drop leaves it out."
            )
        if abs(start - begin) > allowed:
            raise ValueError(
                f"The sound begins {start - begin:+.3f} s from the first frame, which an .avi file "
                "cannot hold; .mkv, .mp4 and .mov files can. --audio=drop leaves it out."
            )
