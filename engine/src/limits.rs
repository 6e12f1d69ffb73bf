//! What a running call shares with its `eng_call`: meters, wakes, captured output, and the bounds on them.

use crate::abi::{Outcome, RawWaker};
use crate::refusal::Refusals;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Instant;
use wasmtime::{Result, bail};

/// The smallest size of a memory, and the bound when the caller states none.
const PAGE: u64 = 65536;
/// What a table element costs the host.
const TABLE_ELEMENT: usize = 8;

/// Locks without regard to poisoning: a panic has already been reported as such.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One per call. The future writes, the `eng_call` reads, wakers on other threads wake.
pub struct Shared {
    pub yields: AtomicU32,
    pub peak_memory: AtomicU64,
    /// None where nobody meters the call.
    created: Option<Instant>,
    /// When the latest poll began, in nanoseconds since `created`.
    polled: AtomicU64,
    pub output: Mutex<Output>,
    pub max_output: u64,
    pub refusals: Refusals,
    /// Set during a poll by a wake; such wakes are seen when the poll ends.
    woken: AtomicBool,
    polling: AtomicBool,
    waker: Mutex<Option<Retained>>,
}

/// Captured streams, and the bound that was hit, if any.
#[derive(Default)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub exceeded: Option<Outcome>,
}

impl Shared {
    pub fn new(max_output: u64, metered: bool) -> Arc<Self> {
        Arc::new(Self {
            yields: AtomicU32::new(0),
            peak_memory: AtomicU64::new(0),
            created: metered.then(Instant::now),
            polled: AtomicU64::new(0),
            output: Mutex::default(),
            max_output,
            refusals: Refusals::default(),
            woken: AtomicBool::new(false),
            polling: AtomicBool::new(false),
            waker: Mutex::new(None),
        })
    }

    /// Remembers that a bound ended the call; the first one counts.
    pub fn exceed(&self, outcome: Outcome) {
        lock(&self.output).exceeded.get_or_insert(outcome);
    }

    pub fn exceeded(&self) -> Option<Outcome> {
        lock(&self.output).exceeded
    }

    /// Appends to a captured stream; false when that would exceed the bound, which ends the call.
    pub fn capture(&self, stderr: bool, bytes: &[u8]) -> bool {
        let mut output = lock(&self.output);
        let total = (output.stdout.len() + output.stderr.len() + bytes.len()) as u64;
        if total > self.max_output {
            output.exceeded.get_or_insert(Outcome::OutputTooLarge);
            return false;
        }
        let stream = if stderr { &mut output.stderr } else { &mut output.stdout };
        stream.extend_from_slice(bytes);
        true
    }

    /// Wakes from here to [`Shared::end_poll`] are kept back.
    pub fn begin_poll(&self, waker: &RawWaker) {
        let mut kept = lock(&self.waker);
        if kept.as_ref().is_none_or(|kept| !kept.is(waker)) {
            *kept = Some(Retained::new(*waker));
        }
        drop(kept);
        self.polling.store(true, SeqCst);
        self.polled.store(self.age(), Relaxed);
    }

    /// Nanoseconds since the call was made; 0 where nobody meters it.
    pub fn age(&self) -> u64 {
        self.created.map_or(0, |created| u64::try_from(created.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Nanoseconds since the latest poll began.
    pub fn turn(&self) -> u64 {
        self.age().saturating_sub(self.polled.load(Relaxed))
    }

    /// Whether a wake came since the last time that this was asked.
    pub fn take_woken(&self) -> bool {
        self.woken.load(Relaxed) && self.woken.swap(false, SeqCst)
    }

    /// `deliver`: hand a kept wake on, because the caller will not poll again without one.
    pub fn end_poll(&self, deliver: bool) {
        self.polling.store(false, SeqCst);
        if self.woken.swap(false, SeqCst) && deliver {
            self.wake_caller();
        }
    }

    fn wake_caller(&self) {
        // Not under the lock: what is called may poll.
        let waker = lock(&self.waker).as_ref().map(|waker| Retained::new(waker.0));
        if let Some(waker) = waker {
            (waker.0.wake)(waker.0.data);
        }
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Set before looking whether a poll is in progress: the poll looks the other way round.
        self.woken.store(true, SeqCst);
        if !self.polling.load(SeqCst) && self.woken.swap(false, SeqCst) {
            self.wake_caller();
        }
    }
}

/// The caller's waker, with a reference of ours.
struct Retained(RawWaker);

// SAFETY: the header says that a waker may be used on any thread.
unsafe impl Send for Retained {}

impl Retained {
    fn new(waker: RawWaker) -> Self {
        (waker.retain)(waker.data);
        Self(waker)
    }

    fn is(&self, other: &RawWaker) -> bool {
        self.0.data == other.data && std::ptr::fn_addr_eq(self.0.wake, other.wake)
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        (self.0.release)(self.0.data);
    }
}

/// Sums every memory and table of every instance in the call's store.
pub struct Limiter {
    shared: Arc<Shared>,
    bound: u64,
    used: u64,
    /// What the growth that is under way added, to be taken back if it fails for another reason.
    pending: u64,
}

impl Limiter {
    pub fn new(shared: Arc<Shared>, max_memory: u64) -> Self {
        Self { shared, bound: max_memory.max(PAGE), used: 0, pending: 0 }
    }

    fn grow(&mut self, bytes: usize) -> Result<bool> {
        self.pending = bytes as u64;
        self.used += self.pending;
        if self.used > self.bound {
            self.shared.exceed(Outcome::OutOfMemory);
            bail!("memory limit of {} bytes exceeded: {} bytes needed", self.bound, self.used);
        }
        self.shared.peak_memory.fetch_max(self.used, Relaxed);
        Ok(true)
    }

    fn take_back(&mut self) -> Result<()> {
        self.used -= std::mem::take(&mut self.pending);
        Ok(())
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        // Beyond the memory's own maximum the guest sees -1, as the standard says.
        if maximum.is_some_and(|maximum| desired > maximum) && current > 0 {
            self.pending = 0;
            return Ok(true);
        }
        self.grow(desired - current)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.take_back()
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) && current > 0 {
            self.pending = 0;
            return Ok(true);
        }
        self.grow((desired - current).saturating_mul(TABLE_ELEMENT))
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.take_back()
    }
}
