"""The encoding of a text is found, or believed where the file declares it."""

from __future__ import annotations

from base64 import b64encode

import pytest

from partywall.features.documents.extraction import recognize
from tests.features.documents.read_files import read


@pytest.mark.parametrize(
    ("encoding", "charset", "text"),
    [
        ("utf-16", "utf-16le", "Grüße"),
        ("utf-16-be", "utf-16be", "Grüße aus Köln"),
        ("utf-32", "utf-32le", "Grüße"),
        ("utf-8-sig", "", "Grüße"),
        ("utf-16-le", "utf-16le", "люди рождаются свободными и равными"),
        ("utf-16-le", "utf-16le", "吾輩は猫である。名前はまだ無い。"),
        ("utf-16-be", "utf-16be", "吾輩は猫である。\n名前はまだ無い。"),
        ("utf-16-be", "utf-16be", "これはテストです"),
        ("utf-16-le", "utf-16le", "人人生而自由\uff0c在尊严和权利上一律平等。"),
        ("utf-32-be", "utf-32be", "люди рождаются свободными и равными"),
        ("iso2022_jp", "iso-2022-jp", "吾輩は猫である。名前はまだ無い。"),
        ("cp850", "ibm850", "Grüße aus Köln: das ist ein Text"),
        ("iso8859-2", "iso-8859-2", "Wszyscy ludzie rodzą się wolni, źdźbło, łąka"),
        ("cp1250", "windows-1250", "minden emberi lény szabadon születik és egyenlő"),
        ("koi8-u", "koi8-u", "всі люди народжуються вільними, їхня гідність єдина"),
        ("iso8859-6", "iso-8859-6", "يولد جميع الناس أحراراً متساوين في الكرامة"),
        ("cp1252", "windows-1252", "Grüße aus Köln: das ist ein Text"),
        ("iso8859-15", "iso-8859-15", "Die Gebühr beträgt 5 €."),
        ("iso8859-15", "iso-8859-15", "Preis: 5€"),
        ("koi8-u", "koi8-u", "число 5 є, всі люди народжуються вільними, їхня гідність єдина"),
        ("cp1252", "windows-1252", "Die Gebühr „netto“ beträgt 5 ¤"),
        ("cp1250", "windows-1250", "Zażółć gęślą jaźń, powiedział król"),
        ("cp1251", "windows-1251", "люди рождаются свободными и равными в своем достоинстве"),
        ("koi8-r", "koi8-r", "люди рождаются свободными и равными в своем достоинстве"),
        ("cp1253", "windows-1253", "όλοι \u03bf\u03b9 άνθρωποι γεννιούνται ελεύθεροι και ίσοι"),
        ("iso8859-8", "windows-1255", "כל בני האדם נולדו בני חורין ושווים בערכם"),
        ("shift_jis", "shift_jis", "吾輩は猫である。名前はまだ無い。"),
        ("euc_jp", "euc-jp", "吾輩は猫である。名前はまだ無い。"),
        ("cp932", "shift_jis", "株式会社山田商事の契約書。支払期日は翌月末とする。納品は十日以内に行う。"),
        ("euc_jp", "euc-jp", "経費精算の申請方法"),
        ("gb18030", "gb18030", "2024-01-02 12:00 ERROR 文件不存在 path=/var/log/messages"),
        ("big5", "big5", "會議定於下午三點召開。軟體使用授權合約"),
        ("gb18030", "gb18030", "人人生而自由,在尊严和权利上一律平等。"),
        ("big5", "big5", "人人生而自由\uff0c在尊嚴和權利上一律平等。"),
        ("cp949", "euc-kr", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다"),
    ],
)
def test_encodings(encoding: str, charset: str, text: str) -> None:
    found = read("a.txt", text.encode(encoding))
    assert (found.text, found.charset) == (text, charset)


@pytest.mark.parametrize(
    ("name", "text", "start"),
    [
        ("a.md", "# Handbuch Änderung\n\n" + "Größe und Höhe. " * 9 + "Ä", "# Handbuch Änderung"),
        ("a.txt", "Größe Ä", "Größe "),
        ("a.txt", "люди рождаются свободными", "люди рождаются"),
        ("a.csv", "名称,数量\n螺丝,3\n中", "名称,数量"),
        ("a.html", "<meta charset=utf-8><p>Grün ist die Größe Ä", "Grün ist die Größe"),
    ],
)
@pytest.mark.parametrize("charset", ["", "utf-8"])
def test_utf_8_with_a_character_that_is_cut_off_is_utf_8(name: str, text: str, start: str, charset: str) -> None:
    found = read(name, text.encode()[:-1], charset=charset)
    assert (found.text.startswith(start), found.text[-1], found.charset in ("", "utf-8")) == (True, "\ufffd", True)


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "gb18030"])
def test_a_wrong_byte_is_only_its_character(encoding: str) -> None:
    text = "第三条 本合同之規定有効 " * 4
    found = read("a.txt", text.encode(encoding) + b"\x81\n" + text.encode(encoding))
    assert found.text == f"{text}\ufffd\n{text}"


def test_text_with_more_wrong_bytes_is_not_utf_8() -> None:
    found = read("a.txt", "Größe".encode() + " déjà vu, garçon".encode("cp1252"))
    assert (bool(found.charset), "\ufffd" in found.text) == (True, False)


def test_a_declared_encoding_is_believed() -> None:
    page = read("a.html", "<meta charset=iso-8859-2><p>łódź ß".encode("iso8859-2"))
    assert (page.text, page.charset) == ("łódź ß", "iso-8859-2")


@pytest.mark.parametrize("charset", ["iso-2022-jp", "utf-16-le", "shift_jis", "hz"])
def test_the_encoding_that_a_mail_declares_comes_before_utf_8(charset: str) -> None:
    text = "吾輩は猫である" if charset != "hz" else "人人生而自由"
    body = b64encode(text.encode(charset)).decode()
    head = f"Subject: x\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
    assert read("a.eml", f"{head}{body}\n".encode()).text == f"# x\n\n{text}"


def test_text_that_only_looks_like_utf_8_is_read_by_a_worker() -> None:
    assert recognize("吾輩は猫である".encode("iso2022_jp"), "text/plain", "a.txt").may_be_read_at_once is False
    assert recognize(b"\x1b[31mred\x1b[0m", "text/plain", "a.txt").may_be_read_at_once
