"""Media types by file name: our own table, for the same mail must have the same bytes everywhere.

The standard library's `mimetypes` reads the machine's files, and its own table changes between releases.
"""

from __future__ import annotations

ANY = "application/octet-stream"

# What is attached to mail. Anything else is bytes: a reader's program knows what to do with the name.
_TYPES = {
    # Documents
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "json": "application/json",
    "md": "text/markdown",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "ps": "application/postscript",
    "rtf": "application/rtf",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    # Pictures
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "ico": "image/vnd.microsoft.icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    # Sound and films
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    # Archives
    "7z": "application/x-7z-compressed",
    "bz2": "application/x-bzip2",
    "gz": "application/gzip",
    "rar": "application/vnd.rar",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "xz": "application/x-xz",
    "zip": "application/zip",
    # Fonts, programs, signatures
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "otf": "font/otf",
    "p7m": "application/pkcs7-mime",
    "p7s": "application/pkcs7-signature",
    "ttf": "font/ttf",
    "woff": "font/woff",
    "woff2": "font/woff2",
}


def guess(file_name: str) -> str:
    """The media type that goes with the ending of a file's name, whatever its case."""
    _, dot, ending = file_name.rpartition(".")
    return _TYPES.get(ending.lower(), ANY) if dot else ANY
