//! What a guest asked for and the host refused: counted by kind, with the first of each kind in words.

use crate::limits::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// `eng_refusal`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Host = 0,
    Address = 1,
    Requests = 2,
    Bytes = 3,
    Time = 4,
    Certificate = 5,
    Recursion = 6,
    Path = 7,
    Quota = 8,
}

const EVERY: [Refusal; 9] = [
    Refusal::Host,
    Refusal::Address,
    Refusal::Requests,
    Refusal::Bytes,
    Refusal::Time,
    Refusal::Certificate,
    Refusal::Recursion,
    Refusal::Path,
    Refusal::Quota,
];

/// Longer words of a guest are cut: they go into a log.
const WORDS: usize = 200;

/// Of one call; any thread may add.
#[derive(Default)]
pub struct Refusals {
    total: AtomicU32,
    kinds: Mutex<[(u32, String); EVERY.len()]>,
}

impl Refusals {
    pub fn add(&self, kind: Refusal, words: impl FnOnce() -> String) {
        self.total.fetch_add(1, Relaxed);
        let mut kinds = lock(&self.kinds);
        let (count, first) = &mut kinds[kind as usize];
        *count = count.saturating_add(1);
        if *count == 1 {
            *first = words();
            let end = (0..=WORDS.min(first.len())).rev().find(|end| first.is_char_boundary(*end));
            first.truncate(end.unwrap_or(0));
        }
    }

    pub fn total(&self) -> u32 {
        self.total.load(Relaxed)
    }

    pub fn visit(&self, mut visit: impl FnMut(Refusal, u32, &str)) {
        for (kind, (count, first)) in EVERY.iter().zip(lock(&self.kinds).iter()) {
            if *count > 0 {
                visit(*kind, *count, first);
            }
        }
    }
}
