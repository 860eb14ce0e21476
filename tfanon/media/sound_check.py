"""Whether packets of a sound track are sound: they are copied as they are, so pictures must never pass for them.

A damaged or made-up file can say that its sound lies where its encoded pictures do, or give a block of pictures the number
of the sound track.
"""

import bisect

import av

from tfanon.media import frame_reader

LENIENT_OPTIONS = {
    "flags": "+output_corrupt",
    "flags2": "+showall",
}  # pictures without a reference come out, too
PCM_PREFIX = (
    "pcm_"  # any bytes decode as such sound; decoders of Opus, ADPCM and speech take most, too
)
RECOGNIZABLE_CODECS = (  # codecs of pictures as which no sound decodes
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
    """Looks at packets of sound, in the order in which they come."""

    def __init__(self, container, pictures) -> None:
        """
        Args:
            container: The open file.
            pictures: Its stream of pictures.
        """
        self._pictures = (
            pictures if container.format.name in frame_reader.INDEXED_CONTAINERS else None
        )
        self._frame_byte_ranges: list[
            tuple[int, int]
        ] = []  # first byte and end of each picture that is indexed so far
        self._known = 0
        self._is_marked = pictures.codec_context.codec.canonical_name in RECOGNIZABLE_CODECS
        self._decoder = frame_reader.copy_decoder(pictures, LENIENT_OPTIONS)

    def is_sound(self, packet: av.Packet) -> bool:
        """Whether a packet can be decoded as sound, is no picture, and shares no byte with one.

        A picture of VP8 or VP9 that needs another one, and pictures of older codecs, cannot be told from sound that takes
        any bytes.
        """
        if self._pictures is not None and packet.pos is not None and self._overlaps_picture(packet):
            return False
        if not packet.size:
            return True
        if self._is_marked and self._decodes_as_picture(packet):
            return False
        if packet.stream.codec_context.codec.name.startswith(PCM_PREFIX):
            return True
        try:
            packet.decode()
        except (av.FFmpegError, ValueError):
            return False
        return True

    def _decodes_as_picture(self, packet: av.Packet) -> bool:
        content = av.Packet(bytes(packet))
        try:
            return bool(self._decoder.decode(content) or self._decoder.decode(None))
        except (av.FFmpegError, ValueError):
            return False
        finally:
            self._decoder.flush_buffers()

    def _overlaps_picture(self, packet: av.Packet) -> bool:
        self._read_index()
        end = packet.pos + packet.size
        place = bisect.bisect_left(
            self._frame_byte_ranges, (end, 0)
        )  # the first picture that begins at the end or behind
        return place > 0 and self._frame_byte_ranges[place - 1][1] > packet.pos

    def _read_index(self) -> None:
        """Take in what has been indexed since: a file in fragments has its index in pieces."""
        entries = self._pictures.index_entries
        if len(entries) == self._known:
            return
        for number in range(self._known, len(entries)):
            entry = entries[number]
            self._frame_byte_ranges.append((entry.pos, entry.pos + entry.size))
        self._known = len(entries)
        self._frame_byte_ranges.sort()
