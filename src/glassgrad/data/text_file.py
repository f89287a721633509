"""The bytes and the text of a file, plain or gzip; every failure names the file and the line."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from glassgrad.data.bad_input import BadInput, MissingFile
from glassgrad.data.stage import stage

SIGNATURES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; export it as text",
    b"PAR1": "a Parquet file; convert it to text",
    b"%PDF": "a PDF document; export its text",
    b"\x89PNG": "a PNG image; give text, or put images into an .npz file",
    b"\x93NUMPY": "a NumPy array; write it with numpy.savetxt(..., delimiter=',')",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}


def read_bytes(path: Path, shown: str, kind: str) -> bytes:
    """All bytes of a file, unpacked if they are gzip; `kind` says what was expected.

    Raises MissingFile or BadInput for a file that is not there, a folder, or a damaged archive.
    """
    if not path.exists():
        raise MissingFile(f"{shown}: there is no such file. Check the path.")
    if path.is_dir():
        raise BadInput(f"{shown}: this is a folder; give a {kind}.")
    with stage(f"reading {path.name}"):
        return _unpacked(path.read_bytes(), path, shown)


def _unpacked(data: bytes, path: Path, shown: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        if path.suffix == ".gz" and data:
            raise BadInput(f"{shown}: the name ends in .gz but the bytes are not gzip.")
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{shown}: damaged gzip file ({error}). Fetch or pack it again.") from None


def decode(data: bytes, shown: str, kind: str) -> str:
    """The text of UTF-8 bytes; refuses binary files and other encodings by line."""
    for signature, found in SIGNATURES.items():
        if data.startswith(signature):
            raise BadInput(f"{shown}:1: this is not {kind} text but {found}.")
    nul = data.find(b"\0")
    if nul >= 0:
        raise BadInput(
            f"{shown}:{_line_at(data, nul)}: this is a binary file, not {kind} text: "
            f"byte {nul} is zero. Export it as {kind} text in UTF-8."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{shown}:{_line_at(data, error.start)}: byte {data[error.start]:#04x} at offset "
            f"{error.start} is not UTF-8: the file is binary or in another encoding. "
            f"If it is Latin-1 text: iconv -f latin1 -t utf-8 {shown} > utf8.txt"
        ) from None


def read_lines(path: str | Path, kind: str) -> list[str]:
    """The lines of a text file, without their ends; cut at line feeds only.

    Other separators that Unicode knows, such as U+0085, stay inside a line. Raises BadInput for
    a file without any text.
    """
    shown = str(path)
    text = decode(read_bytes(Path(path), shown, f"{kind} file"), shown, kind)
    if not text.strip():
        raise BadInput(f"{shown}: the file is empty: it has no lines at all. Check the path.")
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1
