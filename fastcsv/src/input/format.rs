//! The kind of a file that is no CSV, found by its first bytes.
//!
//! No input is refused for its first bytes alone. They are read when the header was refused, and then the refusal says
//! what kind of file it is instead of what its header lacks. A new kind is a line of the table below.

use std::fmt;

/// Bytes of an input that are kept to find its kind.
pub const START_BYTES: usize = 4096;

/// A kind of files that are no CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFormat {
    name: &'static str,
    hint: &'static str,
}

impl FileFormat {
    /// What to do next.
    #[must_use]
    pub fn hint(self) -> &'static str {
        self.hint
    }

    /// The kind of an input that begins so; `None` where it is not known.
    #[must_use]
    pub fn of(start: &[u8]) -> Option<Self> {
        let format = |(name, hint)| Self { name, hint };
        if is_zip(start) {
            return Some(format(zip(start)));
        }
        let found = BINARY.iter().find(|(magic, ..)| start.starts_with(magic));
        if let Some(&(_, name, hint)) = found {
            return Some(format((name, hint)));
        }
        let found = PLACED.iter().find(|(place, magic, ..)| {
            start.get(*place..).is_some_and(|rest| rest.starts_with(magic))
        });
        if let Some(&(_, _, name, hint)) = found {
            return Some(format((name, hint)));
        }
        let text = text_of(start);
        let text = text.trim_start_matches(|it: char| it.is_whitespace() || it == '\u{feff}');
        text_format(text).map(format)
    }

    /// Whether more bytes of an input that begins so may say its kind better.
    #[must_use]
    pub fn may_change(start: &[u8]) -> bool {
        is_zip(start) && start.len() < START_BYTES
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file is no CSV: by its first bytes it is {}", self.name)
    }
}

type FormatKind = (&'static str, &'static str);

const SAVE: &str = "open it in a spreadsheet, and save it as CSV UTF-8";
const UNPACK: &str =
    "unpack it, and send the CSV file that is in it; gzip and zstd need no unpacking";
const EXPORT: &str = "export it as CSV from what made it";
const NOT_DATA: &str = "send the CSV file itself";

/// By how they begin: name, and what to do.
const BINARY: &[(&[u8], &str, &str)] = &[
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "an old workbook of Excel (xls), one with a password, or another old Office file",
        SAVE,
    ),
    (b"\xfd7zXZ\0", "compressed with xz", UNPACK),
    (b"]\0\0", "compressed with lzma", UNPACK),
    (b"LZIP\x01", "compressed with lzip", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with lz4", UNPACK),
    (b"\x02\x21\x4c\x18", "compressed with lz4", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "compressed with snappy", UNPACK),
    (b"\x1f\x9d", "compressed with compress (Z)", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", UNPACK),
    (b"MSCF\0\0\0\0", "a cab archive", UNPACK),
    (b"!<arch>", "an ar archive", UNPACK),
    (b"PAR1", "a Parquet file", EXPORT),
    (b"PARE", "an encrypted Parquet file", EXPORT),
    (b"Obj\x01", "an Avro file", EXPORT),
    (b"ORC\x08", "an ORC file", EXPORT),
    (b"ORC\n", "an ORC file", EXPORT),
    (b"ARROW1", "an Arrow or Feather file", EXPORT),
    (b"FEA1", "a Feather file", EXPORT),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"\0\x01\0\0Standard ", "an Access database", EXPORT),
    (b"\x89HDF", "an HDF5 file", EXPORT),
    (b"\x93NUMPY", "a NumPy array", EXPORT),
    (b"$FL2", "an SPSS file", EXPORT),
    (b"<stata_dta>", "a Stata file", EXPORT),
    (b"PGDMP", "a dump of PostgreSQL", EXPORT),
    (b"%PDF-", "a PDF document", EXPORT),
    (b"%!PS", "a PostScript document", EXPORT),
    (b"{\\rtf", "an RTF document", "save it as plain text (CSV UTF-8)"),
    (b"\x89PNG", "a PNG image", NOT_DATA),
    (b"\xff\xd8\xff", "a JPEG image", NOT_DATA),
    (b"GIF87a", "a GIF image", NOT_DATA),
    (b"GIF89a", "a GIF image", NOT_DATA),
    (b"II*\0", "a TIFF image", NOT_DATA),
    (b"MM\0*", "a TIFF image", NOT_DATA),
    (b"\0\0\x01\0", "an icon", NOT_DATA),
    (b"OggS\0", "a sound or film (Ogg)", NOT_DATA),
    (b"ID3\x03", "a sound (MP3)", NOT_DATA),
    (b"ID3\x04", "a sound (MP3)", NOT_DATA),
    (b"\x1a\x45\xdf\xa3", "a film (Matroska)", NOT_DATA),
    (b"\x7fELF", "a program (ELF)", NOT_DATA),
    (b"MZ\x90\0", "a program of Windows", NOT_DATA),
    (b"\xcf\xfa\xed\xfe", "a program of macOS", NOT_DATA),
    (b"\xca\xfe\xba\xbe", "a Java class or a program of macOS", NOT_DATA),
    (b"\0asm", "a WebAssembly module", NOT_DATA),
    (b"\x80\x04\x95", "a pickle of Python", EXPORT),
    (b"bplist00", "a binary property list", EXPORT),
    (b"age-encryption.org/", "encrypted with age", "decrypt it first"),
    (b"-----BEGIN PGP MESSAGE", "encrypted with PGP", "decrypt it first"),
    (b"-----BEGIN ", "a key or certificate (PEM)", NOT_DATA),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, which stands for a file that was not fetched",
        "fetch the file itself with `git lfs pull`",
    ),
];

/// By what stands at a place further on.
const PLACED: &[(usize, &[u8], &str, &str)] = &[
    (4, b"1AY&SY", "compressed with bzip2", UNPACK),
    (4, b"\x17\x72\x45\x38\x50\x90", "compressed with bzip2", UNPACK),
    (8, b"WAVEfmt ", "a sound (WAV)", NOT_DATA),
    (8, b"WEBPVP8", "a WebP image", NOT_DATA),
    (8, b"AVI LIST", "a film (AVI)", NOT_DATA),
    (257, b"ustar", "a tar archive", UNPACK),
    (4, b"ftyp", "a film or an image (MP4, HEIC)", NOT_DATA),
    (4, b"Standard Jet DB", "an Access database", EXPORT),
];

fn is_zip(start: &[u8]) -> bool {
    [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|magic| start.starts_with(*magic))
}

/// What a zip archive is, by the names of the files in it.
fn zip(start: &[u8]) -> FormatKind {
    let has = |name: &[u8]| memchr::memmem::find(start, name).is_some();
    if has(b"xl/") {
        ("a workbook of Excel (xlsx)", SAVE)
    } else if has(b"opendocument.spreadsheet") {
        ("a workbook of LibreOffice (ods)", SAVE)
    } else if has(b"Index/") && has(b".iwa") {
        ("a document of Numbers or Pages", SAVE)
    } else if has(b"word/") || has(b"ppt/") || has(b"opendocument.") {
        ("a text or presentation of an office program", EXPORT)
    } else if has(b"[Content_Types].xml") || has(b"_rels/.rels") || has(b"docProps/") {
        ("a file of an office program, such as a workbook of Excel (xlsx)", SAVE)
    } else {
        ("a zip archive", UNPACK)
    }
}

/// UTF-16 behind its mark, else UTF-8, whatever of it is none.
fn text_of(start: &[u8]) -> String {
    let units = |unit: fn([u8; 2]) -> u16| {
        let (pairs, _) = start.as_chunks::<2>();
        String::from_utf16_lossy(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>())
    };
    match start {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ => String::from_utf8_lossy(start).into_owned(),
    }
}

/// By how text begins, behind blanks.
fn text_format(text: &str) -> Option<FormatKind> {
    let head: String = text.chars().take(START_BYTES).collect::<String>().to_ascii_lowercase();
    if let Some(tag) = head.strip_prefix('<') {
        let is_html = HTML.iter().any(|name| tag.starts_with(name)) || head.contains("<html");
        return if is_html {
            Some((
                "a web page (HTML)",
                "download the CSV itself; the page may ask to sign in, or tell of an error",
            ))
        } else if head.contains("excel.sheet") || head.contains("office:spreadsheet") {
            Some(("a workbook in XML, as Excel 2003 has it", SAVE))
        } else if tag.starts_with(|it: char| it.is_ascii_alphabetic() || "?!".contains(it)) {
            Some(("XML", EXPORT))
        } else {
            None
        };
    }
    begins_as_json(&head).then_some(("JSON", "export it as CSV: JSON is not read here"))
}

const HTML: [&str; 9] =
    ["!doctype html", "html", "head", "body", "table", "script", "div", "meta", "title"];

/// A CSV of which a name stands in brackets begins like JSON, too; so what follows the first of them counts.
fn begins_as_json(head: &str) -> bool {
    let mut signs = head.chars().filter(|it| !it.is_whitespace());
    matches!(
        (signs.next(), signs.next()),
        (Some('{'), Some('"' | '}')) | (Some('['), Some('{' | '[' | '"' | ']'))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(start: &[u8]) -> Option<String> {
        FileFormat::of(start).map(|it| it.to_string())
    }

    #[test]
    fn a_zip_archive_is_told_by_the_names_in_it() {
        for (names, wanted) in [
            (&["[Content_Types].xml", "xl/workbook.xml"][..], "xlsx"),
            (&["docProps/app.xml", "xl/theme/theme1.xml"], "xlsx"),
            (&["[Content_Types].xml", "word/document.xml"], "a text or presentation"),
            (&["[Content_Types].xml"], "such as a workbook"),
            (&["mimetypeapplication/vnd.oasis.opendocument.spreadsheet"], "ods"),
            (&["Index/Document.iwa"], "Numbers"),
            (&["rows.csv"], "a zip archive"),
        ] {
            let entries = names.iter().map(|name| [b"PK\x03\x04", name.as_bytes()].concat());
            let start = entries.collect::<Vec<_>>().concat();
            assert!(told(&start).unwrap().contains(wanted), "{names:?}");
        }
    }

    #[test]
    fn text_is_told_in_every_encoding_that_is_read() {
        let page = "\n<!DOCTYPE html><html>";
        let units: Vec<u8> =
            format!("\u{feff}{page}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for start in [page.as_bytes(), &units, b"\xef\xbb\xbf<table>"] {
            assert!(told(start).unwrap().contains("HTML"));
        }
        for (start, wanted) in [
            ("<?xml version=\"1.0\"?><rows/>", "XML"),
            ("<?xml?><?mso-application progid=\"Excel.Sheet\"?>", "Excel 2003"),
            (" {\"id\": 1}", "JSON"),
            ("[\n  {\"id\": 1}]", "JSON"),
            ("{\\rtf1", "RTF"),
        ] {
            assert!(told(start.as_bytes()).unwrap().contains(wanted), "{start}");
        }
    }

    #[test]
    fn an_ordinary_header_is_nothing_else() {
        for start in
            ["", "P", "PK", "session_id,rating", "[id],[name]", "{id},x", "< 5,> 5", "BMI,MZ,ORC"]
        {
            assert_eq!(told(start.as_bytes()), None, "{start}");
        }
    }
}
