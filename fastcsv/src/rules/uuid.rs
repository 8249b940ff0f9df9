//! `format: uuid`: RFC 9562 section 4, 8-4-4-4-12 hexadecimal digits in either case, any version.
//!
//! No braces, no `urn:uuid:`, no missing hyphens: PostgreSQL would take those, other readers would not.

/// Whether `text` is a UUID.
#[must_use]
pub fn is_uuid(text: &str) -> bool {
    let Ok(bytes) = <&[u8; 36]>::try_from(text.as_bytes()) else {
        return false;
    };
    let hyphens = [8, 13, 18, 23].iter().all(|&place| bytes[place] == b'-');
    // A loop of one length over one predicate becomes vector compares.
    let digits = bytes.iter().fold(0, |digits, &byte| {
        digits + u8::from(byte.is_ascii_digit()) + u8::from((byte | 0x20).wrapping_sub(b'a') < 6)
    });
    hyphens && digits == 32
}

#[cfg(test)]
mod tests {
    use super::is_uuid;

    #[test]
    fn takes_every_version_in_either_case() {
        for uuid in [
            "2eb8aa08-aa98-11ea-b4aa-73b441d16380",
            "2EB8AA08-AA98-11EA-B4AA-73B441D16380",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            assert!(is_uuid(uuid), "{uuid}");
        }
    }

    #[test]
    fn refuses_other_spellings() {
        for uuid in [
            "",
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638",
            "2eb8aa08-aa98-11ea-b4aa-73b441d163800",
            "2eb8aa08aa9811eab4aa73b441d16380",
            "{2eb8aa08-aa98-11ea-b4aa-73b441d1638}",
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638g",
            "2eb8-aa08-aa98-11ea-b4aa73b44-1d16380",
            "2eb8aa08-aa98-11ea-b4aa-73b441d1638é",
        ] {
            assert!(!is_uuid(uuid), "{uuid:?}");
        }
    }
}
