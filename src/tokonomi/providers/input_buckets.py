"""Disjoint input buckets from counts that overlap: cached tokens, audio, images of one prompt."""

from tokonomi.errors import ImpossibleUsage

InputBuckets = tuple[int, int, int, int, int, int, int]
"""Counts in the order of `tokonomi.usage.INPUT_BUCKETS`."""


def input_buckets(
    total: int,
    *,
    read: int,
    write: int = 0,
    long_write: int = 0,
    audio: int = 0,
    image: int = 0,
    cached_media: tuple[int, int] | None = None,
) -> InputBuckets:
    """The input buckets of a prompt of `total` tokens; they sum to `total`.

    `read` and `write` are the tokens read from and written to the cache, `long_write` the part of
    `write` with the longer retention, `audio` and `image` the tokens of these kinds, cached or not.

    `cached_media` is how many of the audio and of the image tokens were read from the cache. Most
    replies do not say. Then only what exceeds the prompt must be both, and no more than that is
    assumed: of images first, because almost everywhere they cost as much as text.

    Raises:
        ImpossibleUsage: parts exceed what they are parts of.

    >>> input_buckets(100, read=60)
    (40, 60, 0, 0, 0, 0, 0)
    >>> input_buckets(100, read=60, audio=50)
    (0, 50, 10, 0, 0, 40, 0)
    """
    if read + write > total or audio + image > total or long_write > write:
        raise ImpossibleUsage(
            f"{read} cache read + {write} cache write ({long_write} long),"
            f" {audio} audio + {image} image inside {total} input tokens"
        )
    if not (write or audio or image):
        return total - read, read, 0, 0, 0, 0, 0
    if cached_media is None:
        both = max(read + write + audio + image - total, 0)
        read_image = min(both, image)
        read_audio = both - read_image
    else:
        read_audio, read_image = cached_media
    fresh_audio, fresh_image = audio - read_audio, image - read_image
    read_text = read - read_audio
    if fresh_audio < 0 or fresh_image < 0 or read_text < read_image:
        raise ImpossibleUsage(
            f"{read_audio} of {audio} audio and {read_image} of {image} image tokens cached,"
            f" {read} cached in all"
        )
    uncached = total - read - write - fresh_audio - fresh_image
    return uncached, read_text, read_audio, write - long_write, long_write, fresh_audio, fresh_image
