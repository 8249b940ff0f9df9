//! The kernels against each other, and both against a machine that looks at one byte at a time.

use super::*;
use proptest::prelude::*;

/// The reference: separators, record ends and the first fault, by the letter of RFC 4180.
fn reference(bytes: &[u8], delimiter: u8) -> (Vec<u32>, Vec<u32>, Option<u32>) {
    #[derive(PartialEq)]
    enum At {
        FieldStart,
        Bare,
        Quoted,
        QuoteEnd,
    }
    let (mut marks, mut ends, mut at) = (vec![], vec![], At::FieldStart);
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        let here = narrow(index);
        at = match (at, byte) {
            (At::Quoted, b'"') => At::QuoteEnd,
            (At::Quoted, _) | (At::QuoteEnd | At::FieldStart, b'"') => At::Quoted,
            (At::Bare, b'"') => return (marks, ends, Some(here)),
            (_, b'\r' | b'\n') => {
                ends.push(narrow(marks.len()));
                marks.push(here);
                if byte == b'\r' && bytes.get(index + 1) == Some(&b'\n') {
                    index += 1;
                }
                At::FieldStart
            }
            (_, byte) if byte == delimiter => {
                marks.push(here);
                At::FieldStart
            }
            (At::QuoteEnd, _) => return (marks, ends, Some(here)),
            _ => At::Bare,
        };
        index += 1;
    }
    (marks, ends, None)
}

/// Line ends inside quotes, and second quotes of doubled ones, of text without a fault.
fn inside(bytes: &[u8]) -> [Vec<u32>; 2] {
    let (mut lines, mut escapes, mut quoted) = (vec![], vec![], false);
    for (index, &byte) in bytes.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| bytes[before]);
        match byte {
            b'"' => {
                if !quoted && before == Some(b'"') {
                    escapes.push(narrow(index));
                }
                quoted = !quoted;
            }
            b'\r' if quoted => lines.push(narrow(index)),
            b'\n' if quoted && before != Some(b'\r') => lines.push(narrow(index)),
            _ => {}
        }
    }
    [lines, escapes]
}

type Scan = (Vec<u32>, Vec<u32>, Option<u32>, [Vec<u32>; 2], bool);

fn scanned(kernel: Instructions, pieces: &[&[u8]]) -> Scan {
    let mut tokeniser = Tokeniser::new(b',', kernel);
    let (mut base, mut fault) = (0, None);
    for piece in pieces {
        fault = tokeniser.scan(piece, base);
        if fault.is_some() {
            break;
        }
        base += narrow(piece.len());
    }
    let Marks { separators, ends, inner_lines, escapes } = tokeniser.marks;
    let inside = [inner_lines, escapes].map(|positions| positions.as_slice().to_vec());
    (separators.as_slice().to_vec(), ends.as_slice().to_vec(), fault, inside, tokeniser.seen_nul)
}

fn csv_like() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => Just(b'a'), 3 => Just(b'"'), 3 => Just(b','), 1 => Just(b'\n'), 1 => Just(b'\r'),
        1 => Just(0), 1 => any::<u8>(),
    ];
    prop_oneof![
        prop::collection::vec(byte, 0..300),
        // Well formed, so that whole blocks are passed without a fault.
        prop::collection::vec(
            prop_oneof![
                Just("a,b\n"),
                Just("\"x,\"\"y\"\"\n\",long cell here\r\n"),
                Just("\"\"\r"),
                Just("abcdefghijklmnopqrstuvwxyz,"),
                Just("\n"),
                Just("\"\r\n\",")
            ],
            0..60
        )
        .prop_map(|parts| parts.concat().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_kernel_agrees_with_the_byte_by_byte_machine(bytes in csv_like()) {
        let (marks, ends, fault) = reference(&bytes, b',');
        for (_, kernel) in Instructions::all() {
            let found = scanned(kernel, &[&bytes]);
            prop_assert_eq!(&found.0, &marks);
            prop_assert_eq!(&found.1, &ends);
            prop_assert_eq!(found.2, fault);
            if fault.is_none() {
                prop_assert_eq!(&found.3, &inside(&bytes));
                prop_assert_eq!(found.4, bytes.contains(&0));
            }
        }
        for (_, kernel) in Instructions::all() {
            prop_assert_eq!(
                scanned(kernel, &[&bytes]),
                scanned(Instructions::scalar(), &[&bytes])
            );
        }
    }

    #[test]
    fn a_cut_anywhere_changes_nothing(bytes in csv_like(), at in any::<prop::sample::Index>()) {
        let cut = at.index(bytes.len() + 1);
        let (left, right) = bytes.split_at(cut);
        let kernel = Instructions::detect();
        let (whole, cut) = (scanned(kernel, &[&bytes]), scanned(kernel, &[left, right]));
        prop_assert_eq!((&cut.0, &cut.1, cut.2, &cut.3), (&whole.0, &whole.1, whole.2, &whole.3));
        // Past a fault the flag may say too much, never too little.
        prop_assert!(whole.2.is_some() || cut.4 == whole.4);
    }
}

#[test]
fn forgetting_keeps_the_marks_of_the_open_record() {
    let mut tokeniser = Tokeniser::new(b',', Instructions::detect());
    assert_eq!(tokeniser.scan(b"a,b\nc,d", 0), None);
    tokeniser.marks.forget(FramedMarks { marks: 2, ends: 1, ..FramedMarks::default() });
    tokeniser.marks.rebase(4);
    assert_eq!(tokeniser.marks.separators.as_slice(), &[1]);
    assert!(tokeniser.marks.ends.is_empty());
    tokeniser.marks.end_at(3);
    assert_eq!(tokeniser.marks.ends.as_slice(), &[1]);
}
