//! The epoch ticker: one thread that advances the engine's epoch while guests run.
//!
//! It sleeps when no poll has happened for a while, so that an idle process makes no wakeups. Polls announce
//! themselves with one atomic addition; only the first one after a quiet spell pays for waking the thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the ticker goes on after the last poll.
const LINGER: Duration = Duration::from_millis(50);
/// One poll begun, counted in the upper half of `activity`; the lower half counts polls in progress.
const BEGUN: u64 = 1 << 32;
const IN_PROGRESS: u64 = BEGUN - 1;

#[derive(Default)]
struct Shared {
    activity: AtomicU64,
    asleep: AtomicBool,
    stop: AtomicBool,
    lock: Mutex<()>,
    wakeup: Condvar,
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let _guard = self.locked();
        self.asleep.store(false, SeqCst);
        self.wakeup.notify_one();
    }
}

/// Owns the thread; dropping it ends the thread.
pub struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A poll in progress: the ticker runs at least as long as this lives.
pub struct Polling<'a>(&'a Shared);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.activity.fetch_sub(1, SeqCst);
    }
}

impl Ticker {
    pub fn start(engine: wasmtime::Engine, period: Duration) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let for_thread = shared.clone();
        let thread =
            std::thread::Builder::new().name("epoch".into()).spawn(move || run(&for_thread, &engine, period))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Announces a poll. The sum and the ticker's re-check after falling asleep are both sequentially consistent, so
    /// one of the two sees the other.
    pub fn polling(&self) -> Polling<'_> {
        self.shared.activity.fetch_add(BEGUN + 1, SeqCst);
        if self.shared.asleep.load(SeqCst) {
            self.shared.wake();
        }
        Polling(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, engine: &wasmtime::Engine, period: Duration) {
    let mut seen = 0;
    let mut last_activity = Instant::now();
    while !shared.stop.load(SeqCst) {
        let now = shared.activity.load(SeqCst);
        if now != seen || now & IN_PROGRESS != 0 {
            seen = now;
            last_activity = Instant::now();
        } else if last_activity.elapsed() > LINGER {
            sleep_until_poll(shared, seen);
        }
        std::thread::sleep(period);
        engine.increment_epoch();
    }
}

fn sleep_until_poll(shared: &Shared, seen: u64) {
    let mut guard = shared.locked();
    shared.asleep.store(true, SeqCst);
    while shared.asleep.load(SeqCst) && shared.activity.load(SeqCst) == seen && !shared.stop.load(SeqCst) {
        guard = shared.wakeup.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
    shared.asleep.store(false, SeqCst);
}
