//! The inside of JSON strings with AVX-512, 32 bytes a step whatever stands in them, and with AVX2, 16 bytes a step.
//!
//! One of the files with `unsafe`; each block argues its safety, and `json::push_escaped` is the twin that a
//! test holds equal.
#![allow(unsafe_code, reason = "intrinsics; every block below carries its argument")]
#![allow(clippy::cast_ptr_alignment, reason = "the loads and stores are unaligned ones")]

use super::json::{self, Escaper, EscapingWork, block_of};
use super::text::BLOCK;
use crate::tokenise::narrow;
use std::arch::x86_64::{
    __m128i, __m512i, _bzhi_u32, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8,
    _mm_or_si128, _mm_set1_epi8, _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpackhi_epi64,
    _mm_unpacklo_epi64, _mm256_cmpeq_epi8_mask, _mm256_mask_blend_epi8,
    _mm256_mask_cmplt_epu8_mask, _mm256_maskz_loadu_epi8, _mm256_set1_epi8, _mm512_castsi256_si512,
    _mm512_mask_expand_epi8, _mm512_set1_epi8, _mm512_storeu_si512, _pdep_u64, _pext_u64,
};

const STEP: usize = 32;
/// The second of every two bits.
const BYTES: u64 = 0xaaaa_aaaa_aaaa_aaaa;

/// Proof that the processor has the instructions: only `all` makes one, and it asks the processor.
#[derive(Clone, Copy, Debug)]
pub(super) struct EscapeInstructions(EscapeSet);

#[derive(Clone, Copy, Debug)]
enum EscapeSet {
    Avx2,
    Avx512,
}

impl EscapeInstructions {
    /// The fastest of those that are of use here.
    pub(super) fn detect() -> Option<Self> {
        Self::all().last().copied()
    }

    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        let sets =
            [has_avx2().then_some(EscapeSet::Avx2), has_avx512().then_some(EscapeSet::Avx512)];
        sets.into_iter().flatten().map(Self).collect()
    }

    /// Runs work that escapes text, all of it compiled for these instructions: a call for every cell, and the
    /// constants that it has to load, would cost as much as the escaping.
    pub(super) fn run(self, work: impl EscapingWork) {
        // SAFETY: there are `EscapeInstructions` only where the processor has them.
        match self.0 {
            EscapeSet::Avx2 => unsafe { run_avx2(work) },
            EscapeSet::Avx512 => unsafe { run_avx512(work) },
        }
    }

    /// Escaping alone, for the tests.
    #[cfg(test)]
    pub(super) fn escape(self, text: &[u8], room: &mut [u8]) -> usize {
        // SAFETY: there are `EscapeInstructions` only where the processor has them.
        match self.0 {
            EscapeSet::Avx2 => unsafe { escape_avx2(text, room) },
            EscapeSet::Avx512 => unsafe { escape_avx512(text, room) },
        }
    }
}

/// Whether this processor has what `escape_avx2` is compiled for.
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

#[target_feature(enable = "avx2,popcnt")]
fn run_avx2(work: impl EscapingWork) {
    work.run(&Escaper(|text: &[u8], room: &mut [u8]| escape_avx2(text, room)));
}

/// For eight bytes, of which the bits say which need a backslash: where each byte of the output comes from. Place 8
/// holds the backslash. What stands behind the output is anything.
const EXPANSIONS: [[u8; 16]; 256] = {
    let mut expansions = [[0; 16]; 256];
    let mut special = 0;
    while special < 256 {
        let (mut place, mut written) = (0, 0);
        while place < 8 {
            if special >> place & 1 == 1 {
                expansions[special][written] = 8;
                written += 1;
            }
            expansions[special][written] = place;
            written += 1;
            place += 1;
        }
        special += 1;
    }
    expansions
};

/// As `escape_avx512`, with a table for every eight bytes; control characters are left to the plain code.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn escape_avx2(text: &[u8], room: &mut [u8]) -> usize {
    let (mut written, mut rest) = (0, text);
    while !rest.is_empty() {
        let (step, after) = rest.split_at(rest.len().min(BLOCK));
        written += escape_block(step, &mut room[written..]);
        rest = after;
    }
    written
}

/// Takes at most 16 bytes of text.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn escape_block(step: &[u8], room: &mut [u8]) -> usize {
    let block = block_of(step);
    // SAFETY: reads an array of 16 bytes, unaligned.
    let bytes = unsafe { _mm_loadu_si128(block.as_ptr().cast::<__m128i>()) };
    let all = |byte: u8| _mm_set1_epi8(byte.cast_signed());
    let control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, all(0x1f)), bytes);
    if _mm_movemask_epi8(control) != 0 {
        return json::escape_each(step, room);
    }
    let quotes = _mm_cmpeq_epi8(bytes, all(b'"'));
    let special = _mm_or_si128(quotes, _mm_cmpeq_epi8(bytes, all(b'\\')));
    let special = _mm_movemask_epi8(special).cast_unsigned();
    let (low, high) = (special & 0xff, special >> 8 & 0xff);
    let middle = 8 + low.count_ones() as usize;
    let room: &mut [u8; 2 * BLOCK] = room.first_chunk_mut().expect("there is room for a step");
    let halves = [
        (_mm_unpacklo_epi64(bytes, all(b'\\')), low, 0),
        (_mm_unpackhi_epi64(bytes, all(b'\\')), high, middle),
    ];
    for (half, special, at) in halves {
        let places = &EXPANSIONS[special as usize];
        let room: &mut [u8] = &mut room[at..at + BLOCK];
        // SAFETY: reads an array of 16 bytes, and writes 16 bytes of a slice that has them, both unaligned.
        unsafe {
            let places = _mm_loadu_si128(places.as_ptr().cast::<__m128i>());
            _mm_storeu_si128(room.as_mut_ptr().cast(), _mm_shuffle_epi8(half, places));
        }
    }
    step.len() + special.count_ones() as usize
}

/// Whether this processor has what `escape_avx512` is compiled for.
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,bmi2,popcnt")]
fn run_avx512(work: impl EscapingWork) {
    work.run(&Escaper(|text: &[u8], room: &mut [u8]| escape_avx512(text, room)));
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

/// Takes at most 32 bytes of text.
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
