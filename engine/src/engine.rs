//! The engine: compiler settings, instance pool, ticker, timers, linkers.

use crate::abi::{Config, ErrorKind, Failure, Fallible};
use crate::link::Linkers;
use crate::outbound_http;
use crate::ticker::{Polling, Ticker};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{EnterGuard, Runtime};
use wasmtime::{Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

/// What `eng_engine` points at. Calls hold it through their image, so it outlives the C handle where it must.
pub struct Engine {
    pub wasmtime: wasmtime::Engine,
    pub linkers: Linkers,
    /// The epoch's period.
    pub tick_nanoseconds: u64,
    /// For outbound requests.
    pub tls: Arc<rustls::ClientConfig>,
    /// None where nothing bounds and meters calls, to measure what that costs.
    ticker: Option<Ticker>,
    /// Drives timers, sockets, outbound HTTP and blocking file operations; never guest code.
    background: Option<Runtime>,
    settings: String,
}

impl Engine {
    pub fn new(config: &Config) -> Fallible<Arc<Self>> {
        let settings = wasmtime_config(config);
        let wasmtime = wasmtime::Engine::new(&settings).map_err(Failure::of(ErrorKind::Config))?;
        let failed = |error: std::io::Error| Failure::new(ErrorKind::Config, error.to_string());
        let background = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("wasi")
            .enable_all()
            .build()
            .map_err(failed)?;
        // SAFETY: the caller of `eng_engine_new` keeps to the header.
        let tls = outbound_http::tls(unsafe { config.outbound_ca.bytes() });
        let tls = tls.map_err(|problem| Failure::new(ErrorKind::Config, problem))?;
        let tick = u64::from(config.tick_microseconds.max(1));
        Ok(Arc::new(Self {
            linkers: Linkers::new(&wasmtime, config.wasi03, tls.clone()),
            tls,
            tick_nanoseconds: tick * 1000,
            ticker: match config.unbounded {
                true => None,
                false => Some(Ticker::start(wasmtime.clone(), Duration::from_micros(tick)).map_err(failed)?),
            },
            wasmtime,
            background: Some(background),
            settings: format!("wasi03={} unbounded={}", config.wasi03, config.unbounded),
        }))
    }

    /// To be held while a guest is polled: the epoch ticks, and Tokio's timers and sockets find their runtime.
    pub fn polling(&self) -> (Option<Polling<'_>>, Option<EnterGuard<'_>>) {
        (self.ticker.as_ref().map(Ticker::polling), self.background.as_ref().map(Runtime::enter))
    }

    /// Whether calls are bounded and metered.
    pub fn bounded(&self) -> bool {
        self.ticker.is_some()
    }

    /// Changes whenever machine code compiled by another engine could not be loaded by this one.
    pub fn fingerprint(&self) -> String {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        self.wasmtime.precompile_compatibility_hash().hash(&mut hasher);
        let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
        format!("wasmtime-{} {arch}-{os} {} {:016x}", crate::VERSION, self.settings, hasher.finish())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(background) = self.background.take() {
            background.shutdown_background();
        }
    }
}

/// FNV-1a: stable across processes and compiler versions, as a cache key has to be.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn wasmtime_config(config: &Config) -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings
        .epoch_interruption(!config.unbounded)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .concurrency_support(config.wasi03)
        .async_stack_zeroing(false);
    if config.wasi03 {
        settings.wasm_component_model_async(true);
    }
    if config.pool_instances > 0 {
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    }
    settings
}

/// Where the kernel says which pages were written, resetting this much of them by hand is cheaper than giving the pages
/// back, and larger values gain nothing more.
const SCANNED_RESIDENT: usize = 256 * 1024;

/// Components are made of several core instances each, most of which have no memory of their own, so the pool has as
/// many memories and tables as four per call would need, and no bound below that on a single component.
fn pool(config: &Config) -> PoolingAllocationConfig {
    let instances = config.pool_instances;
    let several = instances.saturating_mul(4);
    let keep_resident = match config.keep_resident_bytes {
        0 if PoolingAllocationConfig::is_pagemap_scan_available() => SCANNED_RESIDENT,
        stated => usize::try_from(stated).unwrap_or(usize::MAX),
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(several)
        .total_component_instances(instances)
        .total_memories(several)
        .total_tables(several)
        .total_stacks(instances.saturating_mul(2))
        .total_gc_heaps(instances)
        // A node calls many modules in turn: a slot that still has the module's image mapped saves mapping it again.
        .max_unused_warm_slots(several)
        .max_core_instances_per_component(1000)
        .max_memories_per_component(100)
        .max_tables_per_component(100)
        .max_memories_per_module(100)
        .max_tables_per_module(100)
        .max_core_instance_size(1 << 20)
        .max_component_instance_size(1 << 20)
        .max_memory_size(usize::try_from(config.pool_memory_bytes).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(1 << 16)
        .pagemap_scan(Enabled::Auto);
    pool
}
