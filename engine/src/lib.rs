//! A thin bridge from C to Wasmtime: compile, describe, link, call, poll, meter. `include/engine.h` is the contract;
//! this file is its other side and nothing more.

#![deny(unsafe_op_in_unsafe_fn)]
#![allow(clippy::missing_safety_doc, reason = "engine.h states what each C function asks of its caller")]

pub mod abi;
mod address;
mod call;
mod code;
mod core_value;
mod describe;
mod engine;
mod files;
mod files02;
mod files03;
mod http;
mod http02;
mod http03;
mod image;
mod json;
mod limits;
mod link;
mod network;
mod outbound;
mod outbound_body;
mod outbound_http;
mod quota;
pub mod refusal;
mod sockets;
mod state;
mod ticker;
pub mod wit;
mod wit_value;

use abi::{Buffer, Error, Failure, Fallible, Poll, Slice, infallible};
use call::Call;
use code::Code;
use engine::Engine;
use http::{Event, Exchange};
use image::Image;
use refusal::Refusal;
use state::Grants;
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// The version of Wasmtime that Cargo.toml pins.
const VERSION: &str = "48.0.8";
const BYTES_BASE64: u32 = 1;

/// Moves a value behind a C handle.
///
/// # Safety
/// `out` is valid for a write.
unsafe fn give<T>(out: *mut *mut T, value: T) {
    // SAFETY: the caller's promise.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
}

/// Takes a value back from behind its C handle and drops it.
///
/// # Safety
/// `handle` is NULL, or came from [`give`] and is not used again.
unsafe fn take_back<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// A function's name, which has to be text.
fn name_of(bytes: &[u8]) -> Fallible<&str> {
    std::str::from_utf8(bytes).map_err(|_| Failure::new(abi::ErrorKind::NoSuchExport, "the name is not valid UTF-8"))
}

/// Declares C functions. Those of `fallible!` have `eng_error* error` as their last parameter and give true on success;
/// a panic becomes an error. Their bodies may use the pointers as the header allows.
/// References stand for pointers that are never NULL.
macro_rules! fallible {
    ($(fn $name:ident($($argument:ident: $ty:ty),* $(,)?) $body:block)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $ty,)* error: *mut Error) -> bool {
            // SAFETY: the caller keeps to the header: valid pointers, output written once.
            unsafe {
                abi::fallible(error, || {
                    $body;
                    Ok(())
                })
            }
        }
    )*};
}

/// As `fallible!`, for functions that cannot fail; a panic gives the value after `else`.
macro_rules! infallible {
    ($(fn $name:ident($($argument:ident: $ty:ty),* $(,)?) $(-> $result:ty)? $body:block else $otherwise:expr;)*) => {$(
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $ty),*) $(-> $result)? {
            #[allow(unused_unsafe, reason = "some bodies need none")]
            // SAFETY: the caller keeps to the header.
            infallible($otherwise, || unsafe { $body })
        }
    )*};
}

fallible! {
    fn eng_engine_new(config: &abi::Config, out: *mut *mut Arc<Engine>) {
        give(out, Engine::new(config)?)
    }

    fn eng_describe(_engine: &Arc<Engine>, binary: Slice, json: *mut Buffer) {
        json.write(describe::describe(binary.bytes())?.into_bytes().into())
    }

    fn eng_wit_parse(packages: *const wit::Package, count: usize, docs: bool, json: *mut Buffer) {
        json.write(wit::parse(packages, count, docs)?.into_bytes().into())
    }

    fn eng_wit_decode(binary: Slice, json: *mut Buffer) {
        json.write(wit::describe_binary(binary.bytes())?.into_bytes().into())
    }

    fn eng_wit_semver_check(
        old: *const wit::Package,
        old_count: usize,
        new: *const wit::Package,
        new_count: usize,
        world: Slice,
        json: *mut Buffer,
    ) {
        let verdict = wit::check((old, old_count), (new, new_count), world.text("a world's name")?)?;
        json.write(verdict.into_bytes().into())
    }

    fn eng_wit_core_functions(packages: *const wit::Package, count: usize, world: Slice, json: *mut Buffer) {
        json.write(wit::core_functions(packages, count, world.text("a world's name")?)?.into_bytes().into())
    }

    fn eng_compile(engine: &Arc<Engine>, binary: Slice, out: *mut *mut Code) {
        give(out, Code::compile(engine, binary.bytes())?)
    }

    fn eng_serialize(code: &Code, out: *mut Buffer) {
        out.write(code.serialize()?.into())
    }

    fn eng_deserialize_file(engine: &Arc<Engine>, path: *const c_char, out: *mut *mut Code) {
        let path = Path::new(OsStr::from_bytes(CStr::from_ptr(path).to_bytes()));
        give(out, Code::deserialize(engine, path)?)
    }

    fn eng_link(_engine: &Arc<Engine>, code: &Code, flags: u32, out: *mut *mut Arc<Image>) {
        give(out, Arc::new(Image::link(code, flags)?))
    }

    fn eng_image_function(image: &Arc<Image>, name: Slice, index: *mut u32) {
        let found = image.function(name_of(name.bytes())?)?;
        index.write(u32::try_from(found).unwrap_or(u32::MAX))
    }

    fn eng_call_function(
        image: &Arc<Image>,
        function: u32,
        grants: &abi::Grants,
        params: Slice,
        invoke_flags: u32,
        out: *mut *mut Call,
    ) {
        let base64 = invoke_flags & BYTES_BASE64 != 0;
        give(out, Call::function(image, function, Grants::copy(grants)?, params.bytes(), base64)?)
    }

    fn eng_call_command(image: &Arc<Image>, grants: &abi::Grants, out: *mut *mut Call) {
        give(out, Call::command(image, Grants::copy(grants)?)?)
    }

    fn eng_call_http(
        image: &Arc<Image>,
        grants: &abi::Grants,
        request: &abi::HttpRequest,
        out: *mut *mut Call,
    ) {
        let (head, exchange) = http::request(request)?;
        give(out, Call::http(image, Grants::copy(grants)?, exchange, head)?)
    }
}

infallible! {
    fn eng_buffer_free(buffer: Buffer) { buffer.free() } else ();
    fn eng_engine_free(engine: *mut Arc<Engine>) { take_back(engine) } else ();
    fn eng_code_free(code: *mut Code) { take_back(code) } else ();
    fn eng_image_free(image: *mut Arc<Image>) { take_back(image) } else ();
    fn eng_call_free(call: *mut Call) { take_back(call) } else ();
    fn eng_fingerprint(engine: &Arc<Engine>) -> Buffer {
        engine.fingerprint().into_bytes().into()
    } else Vec::new().into();
    fn eng_offers(engine: &Arc<Engine>) -> Buffer {
        engine.linkers.offers().unwrap_or_default().into_bytes().into()
    } else Vec::new().into();

    fn eng_wit_wasi() -> Buffer { wit::wasi().into_bytes().into() } else Vec::new().into();
    fn eng_wit_preview1() -> Slice { Slice::of(wit::preview1().as_bytes()) } else Slice::of(&[]);

    fn eng_call_body(call: &Call) -> *mut Arc<Exchange> {
        call.exchange.as_ref().map_or(std::ptr::null_mut(), |exchange| Box::into_raw(Box::new(exchange.clone())))
    } else std::ptr::null_mut();
    fn eng_body_free(body: *mut Arc<Exchange>) { take_back(body) } else ();
    fn eng_body_room(body: &Arc<Exchange>) -> usize { body.room() } else 0;
    fn eng_body_write(body: &Arc<Exchange>, bytes: Slice) -> bool { body.write(bytes.bytes()) } else false;
    fn eng_body_finish(body: &Arc<Exchange>, trailers: *const abi::Pair, count: usize) {
        // Trailers that are not valid HTTP cannot reach the guest.
        body.finish(http::fields(trailers, count).ok().filter(|trailers| !trailers.is_empty()));
    } else ();
    fn eng_body_abort(body: &Arc<Exchange>) { body.abort() } else ();

    fn eng_call_poll(call: &mut Call, waker: &abi::RawWaker) -> Poll { call.poll(waker) } else Poll::Done;
    fn eng_call_cancel(call: &mut Call) { call.cancel() } else ();
    fn eng_call_refusals(
        call: &Call,
        visit: extern "C" fn(*mut c_void, Refusal, u32, Slice),
        data: *mut c_void,
    ) {
        call.refusals().visit(|kind, count, first| visit(data, kind, count, Slice::of(first.as_bytes())));
    } else ();
    fn eng_call_status(call: &Call) -> u16 {
        match &call.event {
            Event::Head { status, .. } => status.as_u16(),
            _ => 0,
        }
    } else 0;
    fn eng_call_fields(call: &Call, visit: extern "C" fn(*mut c_void, Slice, Slice), data: *mut c_void) {
        if let Event::Head { headers: fields, .. } | Event::Trailers(fields) = &call.event {
            for (name, value) in fields {
                visit(data, Slice::of(name.as_str().as_bytes()), Slice::of(value.as_bytes()));
            }
        }
    } else ();
    fn eng_call_body_chunk(call: &Call) -> Slice {
        match &call.event {
            Event::Body(bytes) => Slice::of(bytes),
            _ => Slice::of(&[]),
        }
    } else Slice::of(&[]);
    fn eng_call_body_size(call: &Call) -> u64 {
        match &call.event {
            Event::Head { size: Some(size), .. } => *size,
            _ => u64::MAX,
        }
    } else u64::MAX;
}

// The last two only copy, so that they need no other value to fall back to.

#[unsafe(no_mangle)]
pub extern "C" fn eng_version() -> Slice {
    Slice::of(VERSION.as_bytes())
}

#[unsafe(no_mangle)]
pub extern "C" fn eng_call_result(call: &Call) -> abi::CallResult {
    call.result()
}
