//! Names of columns that are nearly right: which column a name may be meant for, and in what it differs.
//!
//! Names count exactly; this is only for messages. A name of four letters or more is near another that has one letter
//! more, one less or another one, or two letters in the other order.

use super::name::clean;
use super::row::RowSchema;
use std::collections::{HashMap, HashSet};

/// So many names, of a header and of a schema, are compared letter by letter.
const COMPARED: usize = 256;
const LETTERS_MIN: usize = 4;
const LETTERS_MAX: usize = 100;

/// How a header differs from its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    pub unknown: Vec<String>,
    /// Columns of the schema that are not in the header and need not be.
    pub missing_optional: Vec<String>,
    /// The unknown that may be meant for missing ones, required ones too.
    pub similar: Vec<Similar>,
}

/// A name of a header, and the column that it may be meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Similar {
    pub found: String,
    pub meant: String,
    /// In what they differ, to be said after "only in".
    pub differs_in: &'static str,
}

impl Difference {
    #[must_use]
    pub fn between(schema: &RowSchema, header: &[String]) -> Self {
        let names: HashSet<&str> = header.iter().map(|name| clean(name)).collect();
        let missing = schema.columns().iter().filter(|it| !names.contains(it.name.as_str()));
        let (required, optional): (Vec<_>, Vec<_>) = missing.partition(|it| it.required);
        let known: HashSet<&str> = schema.columns().iter().map(|it| it.name.as_str()).collect();
        let is_known = |name: &str| known.contains(name) || schema.knows_unnamed(name);
        let unknown: Vec<&str> =
            header.iter().map(|name| clean(name)).filter(|it| !is_known(it)).collect();
        let missing: Vec<&str> =
            required.iter().chain(&optional).map(|it| it.name.as_str()).collect();
        Self {
            similar: similar(&unknown, &missing),
            unknown: unknown.into_iter().map(str::to_owned).collect(),
            missing_optional: optional.into_iter().map(|it| it.name.clone()).collect(),
        }
    }
}

/// Pairs each unknown name with a missing one, where one is near; none is paired twice.
fn similar(unknown: &[&str], missing: &[&str]) -> Vec<Similar> {
    let mut by_fold: HashMap<String, &str> = HashMap::new();
    for name in missing {
        by_fold.entry(fold(name)).or_insert(name);
    }
    let mut taken: HashSet<&str> = HashSet::new();
    let mut pairs: Vec<Option<Similar>> = unknown
        .iter()
        .map(|&found| {
            let meant = *by_fold.get(&fold(found))?;
            taken.insert(meant).then(|| similar_in(found, meant, difference(found, meant)))
        })
        .collect();
    let folded: Vec<(&str, Vec<char>)> = missing
        .iter()
        .filter(|name| !taken.contains(*name))
        .map(|&name| (name, fold(name).chars().collect()))
        .take(COMPARED)
        .collect();
    let unpaired = unknown.iter().zip(&mut pairs).filter(|(_, pair)| pair.is_none());
    for (&found, pair) in unpaired.take(COMPARED) {
        let letters: Vec<char> = fold(found).chars().collect();
        let near =
            folded.iter().find(|(name, own)| !taken.contains(name) && is_near(&letters, own));
        if let Some(&(meant, _)) = near {
            taken.insert(meant);
            *pair = Some(similar_in(found, meant, "a letter"));
        }
    }
    pairs.into_iter().flatten().collect()
}

fn similar_in(found: &str, meant: &str, differs_in: &'static str) -> Similar {
    Similar { found: found.to_owned(), meant: meant.to_owned(), differs_in }
}

/// A name without what is easily overlooked: case, blanks, what joins words, letters that look like others.
fn fold(name: &str) -> String {
    let folded = name.chars().filter(|it| !is_joint(*it)).map(twin);
    folded.flat_map(char::to_lowercase).collect()
}

fn is_joint(it: char) -> bool {
    let invisible = matches!(it, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    it.is_whitespace() || invisible || matches!(it, '_' | '-' | '.' | '\u{2010}'..='\u{2015}')
}

/// The Latin letter, digit or sign that a character of another kind looks like.
fn twin(it: char) -> char {
    const TWINS: [(&str, &str); 4] = [
        ("авеокмнрстухіјѕԁ", "abeokmhpctyxijsd"),
        ("АВЕЗКМНОРСТУХІЈЅ", "ABE3KMHOPCTYXIJS"),
        ("αοινρυχ", "aoivpux"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
    ];
    if let '\u{ff01}'..='\u{ff5e}' = it {
        return char::from_u32(u32::from(it) - 0xfee0).unwrap_or(it);
    }
    let place = |(others, latin): &(&str, &str)| {
        others.chars().position(|other| other == it).and_then(|at| latin.chars().nth(at))
    };
    if it.is_ascii() { it } else { TWINS.iter().find_map(place).unwrap_or(it) }
}

/// In what two names differ that are the same once folded.
fn difference(found: &str, meant: &str) -> &'static str {
    let lower = |name: &str| name.to_lowercase();
    let joined = |name: &str| name.chars().filter(|it| !is_joint(*it)).collect::<String>();
    if lower(found) == lower(meant) {
        "case"
    } else if joined(found) == joined(meant) {
        "blanks or what joins its words"
    } else if lower(&joined(found)) == lower(&joined(meant)) {
        "case and what joins its words"
    } else {
        "a character that looks like another"
    }
}

/// Whether a letter more, less or another, or two that changed places, make the one of the other.
fn is_near(left: &[char], right: &[char]) -> bool {
    let (short, long) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    if short.len() < LETTERS_MIN || long.len() > LETTERS_MAX || long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let (short_rest, long_rest) = (&short[same..], &long[same..]);
    match (short_rest, long_rest) {
        ([], _) => true,
        _ if short.len() < long.len() => short_rest == &long_rest[1..],
        ([a, b, left @ ..], [c, d, right @ ..]) if a == d && b == c => left == right,
        _ => short_rest[1..] == long_rest[1..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SchemaLimits;

    #[test]
    fn a_column_that_a_pattern_of_names_speaks_of_is_not_unknown() {
        let text =
            br#"{"properties": {"hours": true}, "patternProperties": {"^hour": {"maximum": 9}}}"#;
        let schema = RowSchema::compile("t", "1", text, &SchemaLimits::default()).unwrap();
        let header = ["hour_1", "minute"].map(str::to_owned);
        let found = Difference::between(&schema, &header);
        assert_eq!(found.unknown, ["minute"]);
        assert_eq!(found.missing_optional, ["hours"]);
        assert_eq!(found.similar, []);
    }

    fn pairs(unknown: &[&str], missing: &[&str]) -> Vec<(String, String, &'static str)> {
        let found = similar(unknown, missing);
        found.into_iter().map(|it| (it.found, it.meant, it.differs_in)).collect()
    }

    #[test]
    fn a_name_is_paired_with_what_it_may_be_meant_for() {
        for (found, meant, differs_in) in [
            ("SESSION_ID", "session_id", "case"),
            ("session id", "session_id", "blanks or what joins its words"),
            ("session-id", "session_id", "blanks or what joins its words"),
            ("sessionid", "session_id", "blanks or what joins its words"),
            ("Session Id", "session_id", "case and what joins its words"),
            ("sess\u{200b}ion_id", "session_id", "blanks or what joins its words"),
            ("r\u{430}ting", "rating", "a character that looks like another"),
            ("\u{ff52}ating", "rating", "a character that looks like another"),
            ("ratings", "rating", "a letter"),
            ("ratng", "rating", "a letter"),
            ("rateng", "rating", "a letter"),
            ("raitng", "rating", "a letter"),
        ] {
            let wanted = (found.to_owned(), meant.to_owned(), differs_in);
            assert_eq!(pairs(&[found], &["other", meant]), [wanted]);
        }
    }

    #[test]
    fn names_that_are_far_or_short_are_not_paired() {
        for (found, missing) in [("b", "a"), ("idx", "id"), ("rating", "status"), ("x", "rating")] {
            assert_eq!(pairs(&[found], &[missing]), []);
        }
    }

    #[test]
    fn nothing_is_paired_twice_and_what_is_nearer_comes_first() {
        let found = pairs(&["ratings", "Rating", "RATING"], &["rating"]);
        assert_eq!(found, [("Rating".to_owned(), "rating".to_owned(), "case")]);
    }
}
