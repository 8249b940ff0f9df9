//! The inside of JSON strings with AVX-512, 32 bytes a step whatever stands in them.
//!
//! One of the files with `unsafe`; each block argues its safety, and `json::push_escaped` is the twin that a
//! test holds equal.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]
#![allow(clippy::cast_ptr_alignment, reason = "the loads and stores are unaligned ones")]

use super::json::{self, Escaper};
use super::records::{RecordWriter, Row};
use super::text::Text;
use crate::tokenise::narrow;
use std::arch::x86_64::{
    __m512i, _bzhi_u32, _mm256_cmpeq_epi8_mask, _mm256_mask_blend_epi8,
    _mm256_mask_cmplt_epu8_mask, _mm256_maskz_loadu_epi8, _mm256_set1_epi8, _mm512_castsi256_si512,
    _mm512_mask_expand_epi8, _mm512_set1_epi8, _mm512_storeu_si512, _pdep_u64, _pext_u64,
};

const STEP: usize = 32;
/// The second of every two bits.
const BYTES: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Whether this processor has what `escape_avx512` is compiled for.
pub(super) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

/// `RecordWriter::push_with` with this way of escaping, all of it compiled for these instructions: a call for every
/// cell, and the constants that it has to load, would cost as much as the escaping.
pub(super) fn push_row(
    writer: &RecordWriter,
    row: &Row<'_>,
    records: &mut Text,
    errors: &mut Text,
) {
    assert!(has_avx512());
    // SAFETY: the processor has the instructions.
    unsafe { push_row_avx512(writer, row, records, errors) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi2,popcnt")]
fn push_row_avx512(writer: &RecordWriter, row: &Row<'_>, records: &mut Text, errors: &mut Text) {
    let escaper = Escaper(|text: &[u8], room: &mut [u8]| escape_avx512(text, room));
    writer.push_with(&escaper, row, records, errors);
}

/// `escape_avx512` alone, for the tests.
#[cfg(test)]
pub(super) fn escape(text: &[u8], room: &mut [u8]) -> usize {
    assert!(has_avx512());
    // SAFETY: the processor has the instructions.
    unsafe { escape_avx512(text, room) }
}

/// Writes `text` as the inside of a JSON string into `room`, and says in how many bytes. There has to be room
/// for six times the text and another step of output; it panics where there is not.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi2,popcnt")]
fn escape_avx512(text: &[u8], room: &mut [u8]) -> usize {
    let mut written = 0;
    for step in text.chunks(STEP) {
        written += escape_step(step, &mut room[written..]);
    }
    written
}

/// Writes at most 32 bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi2,popcnt")]
fn escape_step(step: &[u8], room: &mut [u8]) -> usize {
    debug_assert!(step.len() <= STEP);
    let inside = _bzhi_u32(u32::MAX, narrow(step.len()));
    // SAFETY: reads the bytes that the mask names, which are those of the slice, and no other.
    let mut bytes = unsafe { _mm256_maskz_loadu_epi8(inside, step.as_ptr().cast()) };
    let is = |byte: u8| _mm256_cmpeq_epi8_mask(bytes, _mm256_set1_epi8(byte.cast_signed()));
    let mut special = is(b'"') | is(b'\\');
    let control = _mm256_mask_cmplt_epu8_mask(inside, bytes, _mm256_set1_epi8(0x20));
    if control != 0 {
        let (tab, lf, cr) = (is(b'\t'), is(b'\n'), is(b'\r'));
        if control & !(tab | lf | cr) != 0 {
            return json::escape_each(step, room);
        }
        let letter = |bytes, places, letter: u8| {
            _mm256_mask_blend_epi8(places, bytes, _mm256_set1_epi8(letter.cast_signed()))
        };
        bytes = letter(letter(letter(bytes, tab, b't'), lf, b'n'), cr, b'r');
        special |= control;
    }
    // Two bits a byte: is there a backslash, and the byte. Then only those bits that are there.
    let there = BYTES | _pdep_u64(u64::from(special), !BYTES);
    let places = _pext_u64(BYTES, there);
    let backslashes = _mm512_set1_epi8(b'\\'.cast_signed());
    let out = _mm512_mask_expand_epi8(backslashes, places, _mm512_castsi256_si512(bytes));
    let room: &mut [u8; 2 * STEP] = room.first_chunk_mut().expect("there is room for a step");
    // SAFETY: writes an array of 64 bytes, unaligned.
    unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast::<__m512i>(), out) };
    step.len() + special.count_ones() as usize
}
