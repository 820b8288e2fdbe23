"""Which files may be uploaded, and what their first bytes must be (aisuru-api.md 9.1).

The server's own list is unknown; this is what the vendor's clients offer. The signatures are the
well-known ones of each format; text has none.
"""

from __future__ import annotations

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OFFICE = "application/vnd.openxmlformats-officedocument."

_TYPES: dict[str, tuple[str, int, tuple[bytes, ...]]] = {
    "png": ("image/png", 0, (b"\x89PNG\r\n\x1a\n",)),
    "jpg": ("image/jpeg", 0, (b"\xff\xd8\xff",)),
    "jpeg": ("image/jpeg", 0, (b"\xff\xd8\xff",)),
    "gif": ("image/gif", 0, (b"GIF87a", b"GIF89a")),
    "pdf": ("application/pdf", 0, (b"%PDF-",)),
    "doc": ("application/msword", 0, (_OLE,)),
    "xls": ("application/vnd.ms-excel", 0, (_OLE,)),
    "docx": (_OFFICE + "wordprocessingml.document", 0, (_ZIP,)),
    "xlsx": (_OFFICE + "spreadsheetml.sheet", 0, (_ZIP,)),
    "pptx": (_OFFICE + "presentationml.presentation", 0, (_ZIP,)),
    "mp4": ("video/mp4", 4, (b"ftyp",)),
    "avi": ("video/avi", 8, (b"AVI ",)),
    "mpeg": ("video/mpeg", 0, (b"\x00\x00\x01",)),
    "mp3": ("audio/mpeg", 0, (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")),
    "wav": ("audio/wav", 8, (b"WAVE",)),
    "glb": ("model/gltf-binary", 0, (b"glTF",)),
    "txt": ("text/plain", 0, ()),
    "md": ("text/markdown", 0, ()),
    "csv": ("text/csv", 0, ()),
    "html": ("text/html", 0, ()),
    "json": ("application/json", 0, ()),
}
"""By extension: MIME type, where the signature stands, the signatures."""

SIGNATURE_BYTES = 64
"""How much of a file is looked at."""


def mime_type(extension: str, content: bytes) -> str | None:
    """Tell the MIME type of a file, or None if it may not be uploaded.

    Args:
        extension: without the dot, any letter case.
        content: the beginning of the file, or all of it.
    """
    found = _TYPES.get(extension.lower())
    if found is None:
        return None
    name, offset, signatures = found
    if signatures and not content.startswith(signatures, offset):
        return None
    return name
