"""The CSV reader: formats it understands, and failures by file and line."""

from __future__ import annotations

import gzip

import pytest

from glassgrad.data.bad_input import BadInput
from glassgrad.data.csv_file import read_csv


def write(folder, text, name="t.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder, text, name="t.csv", **options):
    path = write(folder, text, name)
    with pytest.raises(BadInput) as caught:
        read_csv(path, **options)
    return str(caught.value).replace(str(path), "FILE")


def test_header_is_found_above_numbers(tmp_path):
    table = read_csv(write(tmp_path, "a,b\n1,x\n2,y\n"))
    assert table.names == ("a", "b")
    assert table.columns == (("1", "2"), ("x", "y"))
    assert table.header and table.lines == (2, 3)


def test_no_header_when_the_first_row_has_numbers(tmp_path):
    table = read_csv(write(tmp_path, "5.1,setosa\n4.9,virginica\n"))
    assert table.names == ("column_1", "column_2") and not table.header and len(table) == 2


def test_missing_mark_in_the_first_row_is_no_header(tmp_path):
    assert not read_csv(write(tmp_path, "?,a\n1,b\n2,a\n")).header


def test_header_of_a_table_of_words(tmp_path):
    assert read_csv(write(tmp_path, "colour,taste\nred,good\nblue,bad\nred,bad\n")).header
    assert not read_csv(write(tmp_path, "red,good\nblue,bad\nred,bad\n")).header


def test_header_option_overrules(tmp_path):
    path = write(tmp_path, "a,b\n1,x\n")
    assert len(read_csv(path, header=False)) == 2
    assert read_csv(write(tmp_path, "1,2\n3,4\n"), header=True).names == ("1", "2")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_is_found(tmp_path, separator):
    text = "a,b,c\n1,2,3\n4,5,6\n".replace(",", separator)
    table = read_csv(write(tmp_path, text))
    assert table.separator == separator and table.names == ("a", "b", "c")


def test_quotes_spaces_blank_lines_and_byte_order_mark(tmp_path):
    text = '\ufeffname, size\n\n"Smith, ""J""", 3 \r\n"two\nlines",4\nlast,5\n'
    table = read_csv(write(tmp_path, text))
    assert table.names == ("name", "size")
    assert table.columns[0] == ('Smith, "J"', "two\nlines", "last")
    assert table.columns[1] == ("3", "4", "5")
    assert table.lines == (3, 4, 6)


def test_gzip(tmp_path):
    path = write(tmp_path, gzip.compress(b"a,b\n1,2\n"), "t.csv.gz")
    assert read_csv(path).columns == (("1",), ("2",))


def test_columns_by_name_position_and_last(tmp_path):
    table = read_csv(write(tmp_path, "price,rooms\n1,2\n"))
    assert [table.find(c) for c in ("rooms", "1", "2", "last", "first")] == [1, 0, 1, 1, 0]
    with pytest.raises(BadInput, match="Did you mean 'price'"):
        table.find("prise")
    with pytest.raises(BadInput, match="position, 1 to 2"):
        table.find("3")


def test_ragged_row(tmp_path):
    message = refusal(tmp_path, "a,b\n1,2\n1,2,3\n4,5\n")
    assert message.startswith("FILE:3: this row has 3 fields where line 1 has 2")


def test_empty_file(tmp_path):
    assert "the file is empty" in refusal(tmp_path, "")
    assert "the file is empty" in refusal(tmp_path, "\n  \n")


def test_header_only(tmp_path):
    assert refusal(tmp_path, "a,b\n").startswith("FILE:1: the file has a header and no rows")


def test_duplicate_names(tmp_path):
    assert "two columns are called 'a' (columns 1 and 3)" in refusal(tmp_path, "a,b,a\n1,2,3\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n1,2\n3,\0\n", "FILE:3: this is a binary file"),
        (b"a,b\n\xe9,2\n", "FILE:2: byte 0xe9"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8bnonsense", "damaged gzip"),
        (b'a,b\n1,"2\n', "FILE:2: this row cannot be read as CSV"),
    ],
)
def test_bytes_that_are_no_csv(tmp_path, data, said):
    assert said in refusal(tmp_path, data)


def test_truncated_gzip(tmp_path):
    data = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)
    assert "damaged gzip" in refusal(tmp_path, data[:30], "t.csv.gz")
    assert "the bytes are not gzip" in refusal(tmp_path, b"a,b\n1,2\n", "t.csv.gz")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_csv(tmp_path / "nothing.csv")
    with pytest.raises(BadInput, match="this is a folder"):
        read_csv(tmp_path)
