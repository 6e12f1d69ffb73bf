//! A thin bridge from C to Wasmtime: compile, describe, link, call, poll, meter. `include/engine.h` is the contract;
//! this file is its other side and nothing more.

#![deny(unsafe_op_in_unsafe_fn)]
#![allow(clippy::missing_safety_doc, reason = "engine.h states what each C function asks of its caller")]

pub mod abi;
mod call;
mod code;
mod core_value;
mod describe;
mod engine;
mod http;
mod http02;
mod http03;
mod image;
mod json;
mod limits;
mod link;
mod network;
mod state;
mod ticker;
mod wit_value;

use abi::{Buffer, Error, Failure, Fallible, Poll, Slice, fallible, infallible};
use call::Call;
use code::Code;
use engine::Engine;
use http::Event;
use image::Image;
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
        infallible((), || drop(unsafe { Box::from_raw(handle) }));
    }
}

/// A function's name, which has to be text.
fn text(bytes: &[u8]) -> Fallible<&str> {
    std::str::from_utf8(bytes).map_err(|_| Failure::new(abi::ErrorKind::NoSuchExport, "the name is not valid UTF-8"))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_buffer_free(buffer: Buffer) {
    // SAFETY: the buffer came from here, as the header says.
    unsafe { buffer.free() };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_engine_new(
    config: *const abi::Config,
    out: *mut *mut Arc<Engine>,
    error: *mut Error,
) -> bool {
    // SAFETY: pointers as the header says; so in every function below.
    unsafe {
        fallible(error, || {
            give(out, Engine::new(&*config)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_engine_free(engine: *mut Arc<Engine>) {
    // SAFETY: see above.
    unsafe { take_back(engine) };
}

#[unsafe(no_mangle)]
pub extern "C" fn eng_version() -> Slice {
    Slice::of(VERSION.as_bytes())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_fingerprint(engine: *const Arc<Engine>) -> Buffer {
    // SAFETY: see above.
    let engine = unsafe { &*engine };
    infallible(String::new(), || engine.fingerprint()).into_bytes().into()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_offers(engine: *const Arc<Engine>) -> Buffer {
    // SAFETY: see above.
    let engine = unsafe { &*engine };
    infallible(String::new(), || engine.linkers.offers().unwrap_or_default()).into_bytes().into()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_describe(
    _engine: *const Arc<Engine>,
    binary: Slice,
    json: *mut Buffer,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            json.write(describe::describe(binary.bytes())?.into_bytes().into());
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_compile(
    engine: *const Arc<Engine>,
    binary: Slice,
    out: *mut *mut Code,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            give(out, Code::compile(&*engine, binary.bytes())?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_serialize(code: *const Code, out: *mut Buffer, error: *mut Error) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            out.write((*code).serialize()?.into());
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_deserialize_file(
    engine: *const Arc<Engine>,
    path: *const c_char,
    out: *mut *mut Code,
    error: *mut Error,
) -> bool {
    // SAFETY: see above; the header asks for a trusted file.
    unsafe {
        fallible(error, || {
            let path = Path::new(OsStr::from_bytes(CStr::from_ptr(path).to_bytes()));
            give(out, Code::deserialize(&*engine, path)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_code_free(code: *mut Code) {
    // SAFETY: see above.
    unsafe { take_back(code) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_link(
    _engine: *const Arc<Engine>,
    code: *const Code,
    link_flags: u32,
    out: *mut *mut Arc<Image>,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            give(out, Arc::new(Image::link(&*code, link_flags)?));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_image_free(image: *mut Arc<Image>) {
    // SAFETY: see above.
    unsafe { take_back(image) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_image_function(
    image: *const Arc<Image>,
    name: Slice,
    index: *mut u32,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            let found = (*image).function(text(name.bytes())?)?;
            index.write(u32::try_from(found).unwrap_or(u32::MAX));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_function(
    image: *const Arc<Image>,
    function: u32,
    grants: *const abi::Grants,
    params: Slice,
    invoke_flags: u32,
    out: *mut *mut Call,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            let grants = Grants::copy(&*grants)?;
            let base64 = invoke_flags & BYTES_BASE64 != 0;
            give(out, Call::function(&*image, function, grants, params.bytes(), base64)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_command(
    image: *const Arc<Image>,
    grants: *const abi::Grants,
    out: *mut *mut Call,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            give(out, Call::command(&*image, Grants::copy(&*grants)?)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_http(
    image: *const Arc<Image>,
    grants: *const abi::Grants,
    request: *const abi::HttpRequest,
    out: *mut *mut Call,
    error: *mut Error,
) -> bool {
    // SAFETY: see above.
    unsafe {
        fallible(error, || {
            let (head, exchange) = http::request(&*request)?;
            give(out, Call::http(&*image, Grants::copy(&*grants)?, exchange, head)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_body_room(call: *const Call) -> usize {
    // SAFETY: see above.
    let call = unsafe { &*call };
    infallible(0, || call.exchange.as_ref().map_or(0, |exchange| exchange.room()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_body_write(call: *mut Call, bytes: Slice) -> bool {
    // SAFETY: see above.
    let (call, bytes) = unsafe { (&*call, bytes.bytes()) };
    infallible(false, || call.exchange.as_ref().is_some_and(|exchange| exchange.write(bytes)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_body_finish(call: *mut Call, trailers: *const abi::Pair, trailers_count: usize) {
    // SAFETY: see above.
    let (call, trailers) = unsafe { (&*call, http::fields(trailers, trailers_count)) };
    infallible((), || {
        if let Some(exchange) = &call.exchange {
            // Trailers that are not valid HTTP cannot reach the guest.
            exchange.finish(trailers.ok().filter(|trailers| !trailers.is_empty()));
        }
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_body_abort(call: *mut Call) {
    // SAFETY: see above.
    let call = unsafe { &*call };
    infallible((), || {
        if let Some(exchange) = &call.exchange {
            exchange.abort();
        }
    });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_poll(call: *mut Call, waker: *const abi::RawWaker) -> Poll {
    // SAFETY: see above.
    let (call, waker) = unsafe { (&mut *call, &*waker) };
    infallible(Poll::Done, || call.poll(waker))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_status(call: *const Call) -> u16 {
    // SAFETY: see above.
    match unsafe { &(*call).event } {
        Event::Head { status, .. } => status.as_u16(),
        _ => 0,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_fields(
    call: *const Call,
    visit: extern "C" fn(*mut c_void, Slice, Slice),
    data: *mut c_void,
) {
    // SAFETY: see above.
    if let Event::Head { headers: fields, .. } | Event::Trailers(fields) = unsafe { &(*call).event } {
        for (name, value) in fields {
            visit(data, Slice::of(name.as_str().as_bytes()), Slice::of(value.as_bytes()));
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_body_chunk(call: *const Call) -> Slice {
    // SAFETY: see above.
    match unsafe { &(*call).event } {
        Event::Body(bytes) => Slice::of(bytes),
        _ => Slice::of(&[]),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_body_size(call: *const Call) -> u64 {
    // SAFETY: see above.
    match unsafe { &(*call).event } {
        Event::Head { size: Some(size), .. } => *size,
        _ => u64::MAX,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_result(call: *const Call) -> abi::CallResult {
    // SAFETY: see above.
    unsafe { (*call).result() }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_cancel(call: *mut Call) {
    // SAFETY: see above.
    let call = unsafe { &mut *call };
    infallible((), || call.cancel());
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn eng_call_free(call: *mut Call) {
    // SAFETY: see above.
    unsafe { take_back(call) };
}
