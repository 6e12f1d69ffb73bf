//! The C types of `include/engine.h`, and the ways in and out of them.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `eng_slice`: bytes borrowed for the duration of one call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slice {
    pub data: *const u8,
    pub size: usize,
}

impl Slice {
    pub fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// # Safety
    /// `data` points at `size` readable bytes that outlive `'a`, or `size` is 0.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { array(self.data, self.size) }
    }

    /// # Safety
    /// As for [`Slice::bytes`].
    pub unsafe fn text<'a>(self, what: &str) -> Fallible<&'a str> {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.bytes() };
        std::str::from_utf8(bytes).map_err(|_| Failure::new(ErrorKind::Config, format!("{what}: not valid UTF-8")))
    }
}

/// A C array as a slice; NULL is allowed where the count is 0.
///
/// # Safety
/// `data` points at `count` readable values that outlive `'a`, or `count` is 0.
pub unsafe fn array<'a, T>(data: *const T, count: usize) -> &'a [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: not empty, so the caller promises valid memory.
    unsafe { std::slice::from_raw_parts(data, count) }
}

/// `eng_buffer`: bytes owned by the receiver.
#[repr(C)]
pub struct Buffer {
    data: *mut u8,
    size: usize,
    capacity: usize,
}

impl Buffer {
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the parts are those of a forgotten Vec.
        unsafe { array(self.data, self.size) }
    }

    /// # Safety
    /// The buffer came from [`Buffer::from`] and is given back once.
    pub unsafe fn free(self) {
        if !self.data.is_null() {
            // SAFETY: the parts are those of a forgotten Vec.
            drop(unsafe { Vec::from_raw_parts(self.data, self.size, self.capacity) });
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        Self { data: bytes.as_mut_ptr(), size: bytes.len(), capacity: bytes.capacity() }
    }
}

/// `eng_error_kind`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    None = 0,
    InvalidBinary = 1,
    Compile = 2,
    IncompatibleCache = 3,
    Link = 4,
    NoSuchExport = 5,
    AmbiguousExport = 6,
    BadParams = 7,
    Config = 8,
    Internal = 9,
    Wit = 10,
}

/// `eng_error`.
#[repr(C)]
pub struct Error {
    pub kind: ErrorKind,
    pub message: Buffer,
}

/// Why a fallible function failed, before it becomes an `eng_error`.
#[derive(Debug)]
pub struct Failure {
    pub kind: ErrorKind,
    pub message: String,
}

pub type Fallible<T> = Result<T, Failure>;

impl Failure {
    pub fn new(kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self { kind, message: one_line(message.as_ref()) }
    }

    pub fn of(kind: ErrorKind) -> impl Fn(wasmtime::Error) -> Self {
        move |error| Self::new(kind, format!("{error:#}"))
    }
}

/// Messages cross the boundary as one line.
pub fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What a caught panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", one_line(text.unwrap_or("no message")))
}

/// Runs the body of a fallible C function: a failure or a panic fills `*error`.
///
/// # Safety
/// `error` is valid for a write.
pub unsafe fn fallible(error: *mut Error, body: impl FnOnce() -> Fallible<()>) -> bool {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return true,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(ErrorKind::Internal, panic_text(&*panic)),
    };
    // SAFETY: the caller's promise.
    unsafe { error.write(Error { kind: failure.kind, message: failure.message.into_bytes().into() }) };
    false
}

/// Runs the body of a C function that cannot fail; a panic gives `otherwise`.
pub fn infallible<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise)
}

/// `eng_config`.
#[repr(C)]
pub struct Config {
    pub pool_instances: u32,
    pub pool_memory_bytes: u64,
    pub keep_resident_bytes: u64,
    pub tick_microseconds: u32,
    pub wasi03: bool,
    pub unbounded: bool,
    pub outbound_ca: Slice,
}

/// `eng_pair`.
#[repr(C)]
pub struct Pair {
    pub name: Slice,
    pub value: Slice,
}

/// `eng_directory`.
#[repr(C)]
pub struct Directory {
    pub host: Slice,
    pub guest: Slice,
    pub writable: bool,
}

/// `eng_outbound`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Outbound {
    pub max_requests: u32,
    pub max_sent_bytes: u64,
    pub max_received_bytes: u64,
    pub connect_milliseconds: u32,
    pub first_byte_milliseconds: u32,
    pub between_bytes_milliseconds: u32,
    pub total_milliseconds: u32,
    pub max_depth: u32,
    pub via: Slice,
}

/// `eng_quota`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Quota {
    pub folder: Slice,
    pub max_bytes: u64,
    pub max_entries: u64,
}

/// `eng_grants`. `network` is an `eng_network`, kept as a number because C may pass any.
#[repr(C)]
pub struct Grants {
    pub max_memory_bytes: u64,
    pub max_output_bytes: u64,
    pub env: *const Pair,
    pub env_count: usize,
    pub args: *const Slice,
    pub args_count: usize,
    pub directories: *const Directory,
    pub directories_count: usize,
    pub quota: Quota,
    pub network: u32,
    pub hosts: *const Slice,
    pub hosts_count: usize,
    pub outbound: Outbound,
    pub stdin_bytes: Slice,
    pub inherit_stdio: bool,
}

/// `eng_waker`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawWaker {
    pub data: *mut c_void,
    pub retain: extern "C" fn(*mut c_void),
    pub release: extern "C" fn(*mut c_void),
    pub wake: extern "C" fn(*mut c_void),
}

/// `eng_http_request`.
#[repr(C)]
pub struct HttpRequest {
    pub method: Slice,
    pub scheme: Slice,
    pub authority: Slice,
    pub path_and_query: Slice,
    pub headers: *const Pair,
    pub headers_count: usize,
    pub body: Slice,
    pub body_complete: bool,
}

/// `eng_poll`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    Pending = 0,
    Yielded = 1,
    Head = 2,
    Body = 3,
    Trailers = 4,
    Done = 5,
}

/// `eng_outcome`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok = 0,
    Trap = 1,
    OutOfMemory = 2,
    OutputTooLarge = 3,
    Exit = 4,
    Cancelled = 5,
    NoResponse = 6,
    PoolExhausted = 7,
    Internal = 8,
}

/// `eng_result`.
#[repr(C)]
pub struct CallResult {
    pub outcome: Outcome,
    pub exit_code: i32,
    pub peak_memory_bytes: u64,
    pub cpu_nanoseconds: u64,
    pub wall_nanoseconds: u64,
    pub yields: u32,
    pub refusals: u32,
    pub value: Slice,
    pub message: Slice,
    pub backtrace: Slice,
    pub stdout_bytes: Slice,
    pub stderr_bytes: Slice,
}
