"""The words of a prompt's analysis in English and Indonesian."""

from collections.abc import Mapping
from string import Template
from typing import Final

from tokonomi.money import Locale

_ENGLISH: Final[Mapping[str, str]] = {
    "title": "$name: $tokens tokens a call",
    "findings": "Findings",
    "no_findings": "Nothing was found.",
    "cache": "Caches",
    "part": "part",
    "tokens": "tokens",
    "share": "share",
    "total": "total",
    "system": "system",
    "tools": "tools",
    "examples": "examples",
    "documents": "documents",
    "turns": "turns",
    "place": "place",
    "finding": "finding",
    "saves": "saves",
    "a_month": "saving a month",
    "text": "text",
    "because": "because",
    "default_instruction": "model default",
    "repeated_instruction": "repetition",
    "verbose_example": "long example",
    "many_examples": "many examples",
    "volatile_text": "volatile",
    "maybe_volatile": "volatile?",
    "because.repeats": "says what $place says ($percent alike)",
    "because.limit": "$over tokens above $limit",
    "because.together": "$over tokens above $limit for all examples",
    "because.behind": "$tokens fixed tokens behind it",
    "because.differs": "differs in $count of $others other requests; $tokens fixed tokens "
    "behind it",
    "unpriced": "unpriced",
    "models": "models",
    "minimum": "minimum",
    "prefix_now": "now ($tokens)",
    "prefix_mended": "mended ($tokens)",
    "marking": "marking",
    "automatic": "automatic",
    "explicit": "by the caller",
    "minimum_source": "Minimum of $model: $source. Read $day.",
    "minimum_unknown": "No source states a cache minimum of $model.",
    "minimum_others": "Caches of other models are judged by this count of tokens; theirs differs.",
    "above": "cached",
    "below": "$short short",
    "unsure": "unsure",
    "count.exact": "Tokens: $encoding, exact for the text of $model. What the provider puts around "
    "messages is not in them.",
    "count.estimated": "Tokens: counted with $encoding, an estimate for $model: it is seen to make "
    "$least % to $most % more of a text ($source). Amounts are made from the tokens counted.",
    "count.unknown": "Tokens: counted with $encoding; how $model counts is not known. A "
    "byte-level vocabulary cannot make more of them than the file has bytes, $bytes.",
    "count.no_model": "Tokens: $encoding, OpenAI's vocabulary. Name the model with --model for its "
    "prices, its cache and how exact the count is.",
    "count.bytes": "Tokens: the vocabulary is not installed here; bytes divided by 3 instead.",
    "count.tools": "Tools are counted as compact JSON; providers rewrite them in their own way.",
    "requests": "Read $requests requests; turns are their mean.",
    "left_out": "Left out: $requests requests with another prompt.",
    "uncounted": "Not counted: $blocks images or files, which cost by other rules.",
    "model_of_request": "The model is the one that the request names.",
    "saved": "All findings together: $saved of $tokens tokens a call ($share).",
    "saved.money": "All findings together: $saved of $tokens tokens a call ($share), $saving of "
    "$cost a month.",
    "assumed.none": "At $calls calls a month, with nothing cached today; a saving by the cache is "
    "the most that it can be, with every call a hit. State your share with --cache-hits.",
    "assumed.hits": "At $calls calls a month, of which $hits find the prefix in the cache today.",
    "assumed.unmarked": "At $calls calls a month. The request marks no prefix (cache_control), so "
    "that nothing is cached today; marked, $hits of the calls are taken to find it.",
    "cache.more": "The fixed prefix of $prefix tokens read from the cache: $saving a month less.",
    "cache.unmarked": "The request marks no prefix (cache_control): marking its $prefix tokens "
    "saves $saving a month.",
    "cache.unknown": "What a cache would save is not known: $reason.",
    "cache.lost": "With every finding mended the prefix has $prefix tokens, below the minimum of "
    "$minimum: it would not be cached any more.",
    "price": "Price: $row, $source.",
    "no_price": "No price: $reason. An unknown price is not 0.",
    "converted": "1 $base = $rate $quote on $on ($source).",
    "order": "Savings add up: text that goes is counted first, then what moving volatile text "
    "brings for the rest.",
    "why": "$rule: $why",
    "judge": "Nothing was changed. Try a shorter prompt on real questions before you trust it.",
    "near-duplicate": "Saying it once is enough; models weigh words, not repetitions.",
    "many-examples": "Some examples that differ often serve as well as many that are alike.",
    "long-example": "A short form of the wanted answer often serves as well as a long example.",
    "differs": "Text that differs between requests ends what a cache can hold; move it behind the "
    "fixed text.",
    "over_tokens": "$tokens tokens are more than --fail-over-tokens $limit.",
    "over_findings": "$findings findings are more than --fail-over-findings $limit.",
}

_INDONESIAN: Final[Mapping[str, str]] = {
    "title": "$name: $tokens token per panggilan",
    "findings": "Temuan",
    "no_findings": "Tidak ada temuan.",
    "cache": "Cache",
    "part": "bagian",
    "tokens": "token",
    "share": "porsi",
    "total": "total",
    "system": "sistem",
    "tools": "alat",
    "examples": "contoh",
    "documents": "dokumen",
    "turns": "percakapan",
    "place": "letak",
    "finding": "temuan",
    "saves": "hemat",
    "a_month": "hemat sebulan",
    "text": "teks",
    "because": "sebab",
    "default_instruction": "bawaan model",
    "repeated_instruction": "pengulangan",
    "verbose_example": "contoh panjang",
    "many_examples": "banyak contoh",
    "volatile_text": "berubah-ubah",
    "maybe_volatile": "berubah-ubah?",
    "because.repeats": "sama maksudnya dengan $place ($percent mirip)",
    "because.limit": "$over token di atas $limit",
    "because.together": "$over token di atas $limit untuk semua contoh",
    "because.behind": "$tokens token tetap di belakangnya",
    "because.differs": "berbeda di $count dari $others permintaan lain; $tokens token tetap di "
    "belakangnya",
    "unpriced": "tanpa harga",
    "models": "model",
    "minimum": "minimum",
    "prefix_now": "kini ($tokens)",
    "prefix_mended": "setelah dibenahi ($tokens)",
    "marking": "penandaan",
    "automatic": "otomatis",
    "explicit": "oleh pemanggil",
    "minimum_source": "Minimum $model: $source. Dibaca $day.",
    "minimum_unknown": "Tidak ada sumber yang menyebut minimum cache $model.",
    "minimum_others": "Cache model lain dinilai dengan hitungan ini; hitungan mereka berbeda.",
    "above": "di-cache",
    "below": "kurang $short",
    "unsure": "tidak pasti",
    "count.exact": "Token: $encoding, persis untuk teks bagi $model. Pembungkus pesan dari "
    "penyedia tidak termasuk.",
    "count.estimated": "Token: dihitung dengan $encoding, perkiraan untuk $model: model itu "
    "terlihat membuat $least % sampai $most % lebih banyak ($source). Biaya dihitung dari token "
    "yang terhitung.",
    "count.unknown": "Token: dihitung dengan $encoding; cara $model menghitung tidak diketahui. "
    "Kosakata berbasis bita tidak mungkin membuat lebih dari jumlah bita berkas, $bytes.",
    "count.no_model": "Token: $encoding, kosakata OpenAI. Sebutkan model dengan --model untuk "
    "harga, cache, dan ketepatan hitungannya.",
    "count.bytes": "Token: kosakata tidak terpasang di sini; jumlah bita dibagi 3.",
    "count.tools": "Alat dihitung sebagai JSON ringkas; penyedia menuliskannya dengan caranya.",
    "requests": "Dibaca $requests permintaan; percakapan adalah reratanya.",
    "left_out": "Dilewati: $requests permintaan dengan prompt lain.",
    "uncounted": "Tidak dihitung: $blocks gambar atau berkas, yang biayanya berbeda.",
    "model_of_request": "Modelnya ialah yang disebut permintaan itu.",
    "saved": "Semua temuan bersama: $saved dari $tokens token per panggilan ($share).",
    "saved.money": "Semua temuan bersama: $saved dari $tokens token per panggilan ($share), "
    "$saving dari $cost sebulan.",
    "assumed.none": "Pada $calls panggilan sebulan, tanpa cache saat ini; hemat lewat cache adalah "
    "paling banyak, bila setiap panggilan menemukannya. Sebutkan porsi Anda dengan --cache-hits.",
    "assumed.hits": "Pada $calls panggilan sebulan, $hits di antaranya menemukan awalan di cache.",
    "assumed.unmarked": "Pada $calls panggilan sebulan. Permintaan ini tidak menandai awalan "
    "(cache_control), jadi kini tanpa cache; bila ditandai, $hits panggilan menemukannya.",
    "cache.more": "Awalan tetap $prefix token bila dibaca dari cache: hemat $saving sebulan.",
    "cache.unmarked": "Permintaan ini tidak menandai awalan (cache_control): menandai $prefix "
    "tokennya menghemat $saving sebulan.",
    "cache.unknown": "Hemat lewat cache tidak diketahui: $reason.",
    "cache.lost": "Bila semua temuan dibenahi, awalan tinggal $prefix token, di bawah minimum "
    "$minimum: tidak lagi di-cache.",
    "price": "Harga: $row, $source.",
    "no_price": "Tanpa harga: $reason. Harga yang tidak diketahui bukan 0.",
    "converted": "1 $base = $rate $quote pada $on ($source).",
    "order": "Hemat dapat dijumlahkan: teks yang dihapus dihitung dulu, lalu hasil memindahkan "
    "teks yang berubah-ubah bagi sisanya.",
    "why": "$rule: $why",
    "judge": "Tidak ada yang diubah. Uji prompt yang lebih pendek dengan pertanyaan nyata dulu.",
    "near-duplicate": "Sekali sudah cukup; model menimbang kata, bukan pengulangan.",
    "many-examples": "Beberapa contoh yang berbeda sering sama baiknya dengan banyak yang mirip.",
    "long-example": "Bentuk singkat dari jawaban yang diinginkan sering sama baiknya dengan contoh "
    "panjang.",
    "differs": "Teks yang berbeda antarpermintaan mengakhiri isi cache; pindahkan ke belakang teks "
    "tetap.",
    "over_tokens": "$tokens token melebihi --fail-over-tokens $limit.",
    "over_findings": "$findings temuan melebihi --fail-over-findings $limit.",
}

_WORDS: Final[Mapping[Locale, Mapping[str, str]]] = {"en": _ENGLISH, "id": _INDONESIAN}


def words(locale: Locale) -> Mapping[str, str]:
    """Every text of a language by its key; `$name` stands for a figure."""
    return _WORDS[locale]


def say(key: str, locale: Locale, **figures: str) -> str:
    """The text of a key in a language, with its figures; a key that is none is said as it is.

    >>> say("because.limit", "id", over="20", limit="150")
    '20 token di atas 150'
    """
    return Template(_WORDS[locale].get(key, key)).substitute(figures)
