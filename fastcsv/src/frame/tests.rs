//! Framing against the rule as it is written (`reference`), wherever the text is cut.

use super::reference::{Collect, Found, reference};
use super::{Bounds, Framer, KEPT_BYTES};
use proptest::prelude::*;

fn framed(text: &[u8], bounds: Bounds, cuts: &[usize]) -> Vec<Found> {
    let mut collect = Collect::default();
    let mut framer = Framer::new(b',', bounds, 0, 1);
    let mut from = 0;
    for &cut in cuts {
        framer.feed(&text[from..cut], &mut collect).unwrap();
        from = cut;
    }
    framer.feed(&text[from..], &mut collect).unwrap();
    framer.finish(&mut collect).unwrap();
    collect.0
}

const ROOMY: Bounds = Bounds { record_bytes: 1 << 20, record_lines: 1000 };

fn csv_like() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => Just("a,b\n"), 2 => Just("\"q,\"\"\n\",x\r\n"), 2 => Just("\n"), 1 => Just("\r"),
        1 => Just("\""), 1 => Just("x\"y\n"), 1 => Just("\"x\"y,"), 1 => Just("plain text here"),
        1 => Just("\"\n"), 1 => Just("\"\","), 1 => Just("\r\n"), 1 => Just("0123456789,0123456789\n")
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn records_are_those_of_the_rule(
        text in csv_like(), record_bytes in 1_usize..80, record_lines in 1_usize..6,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        for bounds in [ROOMY, Bounds { record_bytes, record_lines }] {
            let wanted = reference(&text, bounds);
            prop_assert_eq!(&framed(&text, bounds, &[]), &wanted);
            prop_assert_eq!(&framed(&text, bounds, &cuts), &wanted);
        }
    }
}

#[test]
fn fed_byte_by_byte_nothing_changes() {
    let text = b"a,b\r\nc,\"d\r\ne\",f\n\n\"open,x\ny,z\n\"k\" l\n1,2\r3,4\r\n\"tail\n5,6";
    let every: Vec<usize> = (1..text.len()).collect();
    let wanted = reference(text, ROOMY);
    assert_eq!(framed(text, ROOMY, &every), wanted);
    assert_eq!(wanted.iter().filter(|record| record.fault.is_some()).count(), 3);
}

#[test]
fn a_line_over_the_bound_is_kept_by_its_head_and_its_neighbours_stay() {
    let long = "x".repeat(300_000);
    let text = format!("a,b\n{long}\nc,d\n\"{long}\",e\nf,g\n");
    let bounds = Bounds { record_bytes: 100_000, record_lines: 10 };
    let wanted = reference(text.as_bytes(), bounds);
    for step in [1000, 4096, 65_536, 250_000, 1 << 20] {
        let cuts: Vec<usize> = (step..text.len()).step_by(step).collect();
        assert_eq!(framed(text.as_bytes(), bounds, &cuts), wanted, "step {step}");
    }
    assert_eq!(wanted.len(), 5);
    assert_eq!(wanted[1].text.len(), KEPT_BYTES);
    assert_eq!(wanted[1].length, 300_000);
    assert!(!wanted[2].recovered && !wanted[4].recovered);
}
