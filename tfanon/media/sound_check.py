"""Checks whether packets of a sound track are really sound.

Sound is copied as it is, so encoded frames must never pass for sound: a damaged or crafted file can
claim that its sound lies where its encoded frames are, or label a block of frames with the number
of the sound track.
"""

import bisect

import av
from av.container import InputContainer

from tfanon.media import frame_reader

# The decoder returns frames without their reference, too.
LENIENT_OPTIONS = {"flags": "+output_corrupt", "flags2": "+showall"}
# Any bytes decode as PCM; the decoders of Opus, ADPCM and speech take most bytes, too.
PCM_PREFIX = "pcm_"
# Video codecs as which no sound decodes.
RECOGNIZABLE_CODECS = (
    "av1",
    "h264",
    "hevc",
    "mjpeg",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "png",
    "prores",
    "vp8",
    "vp9",
)


class SoundChecker:
    """Checks packets of sound, in the order in which they are demuxed."""

    def __init__(self, container: InputContainer, video_stream: av.VideoStream) -> None:
        """Prepare to check the sound of a file.

        Args:
            container: The open file.
            video_stream: Its video stream, which the sound must not overlap.
        """
        self._video_stream = video_stream
        self._has_index = container.format.name in frame_reader.INDEXED_CONTAINERS
        # (first byte, end) of each frame that is indexed so far, sorted
        self._frame_byte_ranges: list[tuple[int, int]] = []
        self._indexed_frames = 0
        codec = video_stream.codec_context.codec.canonical_name
        self._is_recognizable = codec in RECOGNIZABLE_CODECS
        self._video_decoder = frame_reader.copy_decoder(video_stream, LENIENT_OPTIONS)

    def is_sound(self, packet: av.Packet) -> bool:
        """Return whether a packet decodes as sound, is no frame, and shares no byte with one.

        A frame of VP8 or VP9 that needs another one, and frames of older codecs, cannot be
        distinguished from sound in formats that take any bytes.

        Args:
            packet: A packet of a sound track.
        """
        if self._has_index and packet.pos is not None:
            if self._overlaps_frame(packet.pos, packet.pos + packet.size):
                return False
        if not packet.size:
            return True
        if self._is_recognizable and self._decodes_as_video(packet):
            return False
        if packet.stream.codec_context.codec.name.startswith(PCM_PREFIX):
            return True
        try:
            packet.decode()
        except (av.FFmpegError, ValueError):
            return False
        return True

    def _decodes_as_video(self, packet: av.Packet) -> bool:
        content = av.Packet(bytes(packet))
        try:
            return bool(self._video_decoder.decode(content) or self._video_decoder.decode(None))
        except (av.FFmpegError, ValueError):
            return False
        finally:
            self._video_decoder.flush_buffers()

    def _overlaps_frame(self, start: int, end: int) -> bool:
        """Return whether a range of bytes shares one with a frame."""
        self._update_frame_byte_ranges()
        # index of the first frame that begins at the end of the range or after it
        following = bisect.bisect_left(self._frame_byte_ranges, (end, 0))
        return following > 0 and self._frame_byte_ranges[following - 1][1] > start

    def _update_frame_byte_ranges(self) -> None:
        """Add what has been indexed since the last call: a fragmented file is indexed in pieces."""
        entries = self._video_stream.index_entries
        if len(entries) == self._indexed_frames:
            return
        for number in range(self._indexed_frames, len(entries)):
            entry = entries[number]
            self._frame_byte_ranges.append((entry.pos, entry.pos + entry.size))
        self._indexed_frames = len(entries)
        self._frame_byte_ranges.sort()
