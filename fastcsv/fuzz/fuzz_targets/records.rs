//! Framing against its reference: any bytes, any bounds, cut anywhere, give the records of the rule.

#![no_main]

use fastcsv::frame::{Bounds, Fault, Frame, Framer, Sink};
use fastcsv::options::KEPT_BYTES;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/frame/reference.rs"]
mod reference;

fuzz_target!(|data: &[u8]| {
    let Some((&[bytes, lines, first_cut, second_cut], text)) = data.split_first_chunk::<4>() else {
        return;
    };
    let bounds = Bounds {
        record_bytes: usize::from(bytes) + 1,
        record_lines: usize::from(lines % 8) + 1,
    };
    let wanted = reference::reference(text, bounds);
    let mut cuts = [first_cut, second_cut].map(|cut| usize::from(cut) * text.len() / 255);
    cuts.sort_unstable();
    let pieces = [&text[..cuts[0]], &text[cuts[0]..cuts[1]], &text[cuts[1]..]];
    assert_eq!(framed(&[text], bounds), wanted);
    assert_eq!(framed(&pieces, bounds), wanted);
});

fn framed(pieces: &[&[u8]], bounds: Bounds) -> Vec<reference::Found> {
    let mut collect = reference::Collect::default();
    let mut framer = Framer::new(b',', bounds, 0, 1);
    for piece in pieces {
        framer.feed(piece, &mut collect).expect("collecting cannot fail");
    }
    framer.finish(&mut collect).expect("collecting cannot fail");
    collect.0
}
