"""Text of other systems: what can be known is read, what can't is refused by the name of its encoding."""

import json

import pytest

from sde_seg_jax.text_files import decode_text, encoding_of, load_json, nfc, read_json, read_lines, read_text

TEXT = '[{"name": "Straße", "id": 1},\r\n {"name": "日本"}]\r\n'
CODECS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


@pytest.mark.parametrize("codec", CODECS)
def test_unicode_is_read_with_and_without_mark(tmp_path, codec):
    path = tmp_path / "a.json"
    path.write_bytes(TEXT.encode(codec))
    assert decode_text(path.read_bytes()) == TEXT
    assert read_text(path) == TEXT.replace("\r\n", "\n")
    assert read_json(path) == json.loads(TEXT)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("length", [64, 65, 66, 67])
def test_the_encoding_follows_from_the_first_bytes(codec, length):
    data = (TEXT * 9).encode(codec)
    assert data.decode(encoding_of(data[:length])).lstrip("\ufeff") == TEXT * 9


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_with_the_other_order_of_bytes_is_read(mark):
    assert decode_text(mark + "äa".encode("utf-16-le" if mark[0] == 0xFF else "utf-16-be")) == "äa"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "Straße".encode("latin-1"),
            "neither UTF-8 nor UTF-16: byte 0xdf at 4 .*Windows-1252 or Latin-1; save it as UTF-8",
        ),
        ("15 € für".encode("cp1252"), "neither UTF-8 nor UTF-16: byte 0x80 at 3 .*Windows-1252"),
        (bytes(range(256)), r"no text \(a zero at byte 0\); save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "byte 0x89 at 0 is no text"),
        (b"\xff\xfea", "begins as UTF-16-LE, but byte 0x61 at 0 does not fit"),
        (b"\xef\xbb\xbf\xff", "begins as UTF-8, but byte 0xff at 0"),
    ],
)
def test_what_cannot_be_known_is_refused_by_its_name(data, message):
    with pytest.raises(ValueError, match=message) as error:
        decode_text(data)
    assert "\n" not in str(error.value)


def test_lines_have_no_marks_and_no_white_space_at_their_ends(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"\xef\xbb\xbf\xef\xbb\xbfclip/f0 \r\n\r\xef\xbb\xbfu\xcc\x88\n")
    assert read_lines(path) == ["clip/f0", "", "ü"]
    assert nfc("u\u0308") == "ü"


def test_large_and_deep_files_are_refused_with_the_number(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(" " * 2000 + "[]")
    with pytest.raises(ValueError, match="it has 2,002 bytes, more than the 2,000 that are read"):
        read_text(path, 2000)
    assert read_json(path, 2002) == []
    with pytest.raises(ValueError, match=r"nested too deep, near the limit of \d+ levels"):
        load_json("[" * 100_000 + "]" * 100_000)
