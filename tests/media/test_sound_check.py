"""Encoded frames that are labelled as sound are not copied as sound."""

import fractions
import pathlib

import av
import clips
import numpy as np
import pytest
from clips import Clip

from tfanon.media import video_reader

SIZE = (48, 64)
SAMPLE_RATE = 48000
SAMPLES_PER_FRAME = SAMPLE_RATE // 25
CHUNK_HEADER_BYTES = 8  # name and length


def write_video_with_sound(path: pathlib.Path, codec: str, sound_codec: str) -> None:
    """A video of 20 frames with a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.height, video.width = SIZE
        video.pix_fmt = "yuv420p"
        video.codec_context.max_b_frames = 0
        sound = container.add_stream(sound_codec, rate=SAMPLE_RATE)
        for number in range(20):
            pixels = clips.make_texture(number, SIZE)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(sound.encode(make_sound_frame(number, sound_codec)))
        container.mux(video.encode())
        container.mux(sound.encode())


def make_sound_frame(number: int, sound_codec: str) -> av.AudioFrame:
    phase = np.arange(SAMPLES_PER_FRAME) * np.pi * 440 / (SAMPLE_RATE / 2) + number
    samples = (np.sin(phase) * 9000).astype(np.int16)[None]
    if sound_codec == "aac":
        values = (samples / 32768).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(values, format="fltp", layout="mono")
    else:
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    return frame


def read_sound(path: pathlib.Path, on_damage: str) -> tuple[list[bytes], int]:
    """The packets of sound that are yielded, and the number of those that are dropped."""
    with video_reader.open_video(str(path), with_sound=True, on_damage=on_damage) as video:
        items = list(video)
    packets = [bytes(item) for item in items if not isinstance(item, video_reader.TimedFrame)]
    return packets, video.dropped_sound_packets


@pytest.mark.parametrize(
    "codec, sound_codec", [("mpeg4", "pcm_s16le"), ("libx264", "pcm_s16le"), ("mpeg4", "aac")]
)
def test_frame_with_the_number_of_the_sound_track_is_dropped(
    tmp_path: pathlib.Path, codec: str, sound_codec: str
) -> None:
    path = tmp_path / "a.avi"
    write_video_with_sound(path, codec, sound_codec)
    undamaged, dropped = read_sound(path, "refuse")
    assert len(undamaged) > 15 and dropped == 0
    with av.open(str(path)) as container:
        frames = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    mislabelled = frames[7]
    content = bytearray(path.read_bytes())
    chunk = content.index(mislabelled) - CHUNK_HEADER_BYTES
    assert content[chunk : chunk + 4] == b"00dc"
    content[chunk : chunk + 4] = b"01wb"
    path.write_bytes(content)
    packets, dropped = read_sound(path, "conceal")
    assert dropped >= 1 and mislabelled not in packets


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_in_packets_of_a_sound_format_that_takes_any_bytes_are_dropped(
    tmp_path: pathlib.Path, codec: str
) -> None:
    # Decoders of Opus return sound for most bytes.
    original = clips.write_clip(
        tmp_path / "in.mkv", Clip(".mkv", codec, sound=False, frames=12, bframes=0)
    )
    path = tmp_path / "a.mkv"
    frames = []
    with av.open(original) as container, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(container.streams.video[0])
        sound = output.add_stream("libopus", rate=SAMPLE_RATE)
        for packet in container.demux(video=0):
            if packet.size:
                frames.append(bytes(packet))
                packet.stream = video
                output.mux(packet)
        clips.add_tone(output, sound, 0.2)
        for number, data in enumerate(frames):
            mislabelled = av.Packet(data)
            mislabelled.stream = sound
            mislabelled.time_base = fractions.Fraction(1, 1000)
            mislabelled.pts = mislabelled.dts = 1000 + 20 * number
            output.mux(mislabelled)
    packets, dropped = read_sound(path, "conceal")
    with av.open(str(path)) as container:
        stored = [bytes(packet) for packet in container.demux(audio=0)]
    planted = [data for data in stored if data in frames]
    assert len(planted) > 8 and dropped == len(planted)
    assert not set(packets) & set(frames) and len(packets) > 8
