import pytest

from tokonomi.errors import ImpossibleUsage
from tokonomi.providers.input_buckets import input_buckets


def test_text_is_what_the_other_parts_leave():
    buckets = input_buckets(1000, read=100, write=300, long_write=200, audio=50, image=25)
    assert buckets == (525, 100, 0, 100, 200, 50, 25)
    assert sum(buckets) == 1000


def test_cached_images_are_assumed_only_as_far_as_the_prompt_is_exceeded():
    assert input_buckets(700, read=640, image=500) == (0, 640, 0, 0, 0, 0, 60)
    assert input_buckets(700, read=100, image=500) == (100, 100, 0, 0, 0, 0, 500)


def test_images_are_assumed_cached_before_audio():
    assert input_buckets(100, read=90, audio=40, image=30) == (0, 60, 30, 0, 0, 10, 0)


def test_a_stated_split_of_the_cache_is_believed():
    assert input_buckets(100, read=60, audio=50, cached_media=(20, 0)) == (
        10,
        40,
        20,
        0,
        0,
        30,
        0,
    )


@pytest.mark.parametrize(
    ("read", "write", "long_write", "audio"), [(8, 3, 0, 0), (0, 0, 0, 11), (0, 3, 4, 0)]
)
def test_parts_that_exceed_the_prompt_are_refused(
    read: int, write: int, long_write: int, audio: int
):
    with pytest.raises(ImpossibleUsage) as caught:
        input_buckets(10, read=read, write=write, long_write=long_write, audio=audio)
    assert caught.value.what == (
        f"{read} cache read + {write} cache write ({long_write} long),"
        f" {audio} audio + 0 image inside 10 input tokens"
    )


@pytest.mark.parametrize("cached_media", [(6, 0), (0, 6), (3, 3)])
def test_a_stated_split_that_cannot_be_true_is_refused(cached_media: tuple[int, int]):
    with pytest.raises(ImpossibleUsage, match="5 cached in all"):
        input_buckets(20, read=5, audio=5, image=5, cached_media=cached_media)
