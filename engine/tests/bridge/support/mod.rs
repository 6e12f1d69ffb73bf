//! The C ABI as a caller sees it, and a few lines to make calls short.

use engine::abi::*;
use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

unsafe extern "C" {
    fn eng_buffer_free(buffer: Buffer);
    fn eng_engine_new(config: *const Config, out: *mut *mut c_void, error: *mut Error) -> bool;
    fn eng_engine_free(engine: *mut c_void);
    fn eng_fingerprint(engine: *const c_void) -> Buffer;
    fn eng_offers(engine: *const c_void) -> Buffer;
    fn eng_describe(engine: *const c_void, binary: Slice, json: *mut Buffer, error: *mut Error) -> bool;
    fn eng_wit_parse(
        packages: *const WitPackage,
        count: usize,
        docs: bool,
        json: *mut Buffer,
        error: *mut Error,
    ) -> bool;
    fn eng_wit_decode(binary: Slice, json: *mut Buffer, error: *mut Error) -> bool;
    fn eng_wit_semver_check(
        old: *const WitPackage,
        old_count: usize,
        new: *const WitPackage,
        new_count: usize,
        world: Slice,
        json: *mut Buffer,
        error: *mut Error,
    ) -> bool;
    fn eng_wit_core_functions(
        packages: *const WitPackage,
        count: usize,
        world: Slice,
        json: *mut Buffer,
        error: *mut Error,
    ) -> bool;
    fn eng_wit_preview1() -> Slice;
    fn eng_compile(engine: *const c_void, binary: Slice, out: *mut *mut c_void, error: *mut Error) -> bool;
    fn eng_serialize(code: *const c_void, out: *mut Buffer, error: *mut Error) -> bool;
    fn eng_deserialize_file(
        engine: *const c_void,
        path: *const c_char,
        out: *mut *mut c_void,
        error: *mut Error,
    ) -> bool;
    fn eng_code_free(code: *mut c_void);
    fn eng_link(
        engine: *const c_void,
        code: *const c_void,
        flags: u32,
        out: *mut *mut c_void,
        error: *mut Error,
    ) -> bool;
    fn eng_image_free(image: *mut c_void);
    fn eng_image_function(image: *const c_void, name: Slice, index: *mut u32, error: *mut Error) -> bool;
    fn eng_call_function(
        image: *const c_void,
        function: u32,
        grants: *const Grants,
        params: Slice,
        flags: u32,
        out: *mut *mut c_void,
        error: *mut Error,
    ) -> bool;
    fn eng_call_command(image: *const c_void, grants: *const Grants, out: *mut *mut c_void, error: *mut Error) -> bool;
    fn eng_call_http(
        image: *const c_void,
        grants: *const Grants,
        request: *const HttpRequest,
        out: *mut *mut c_void,
        error: *mut Error,
    ) -> bool;
    fn eng_call_body(call: *const c_void) -> *mut c_void;
    fn eng_body_free(body: *mut c_void);
    fn eng_body_room(body: *const c_void) -> usize;
    fn eng_body_write(body: *const c_void, bytes: Slice) -> bool;
    fn eng_body_finish(body: *const c_void, trailers: *const Pair, count: usize);
    fn eng_body_abort(body: *const c_void);
    fn eng_call_poll(call: *mut c_void, waker: *const RawWaker) -> Poll;
    fn eng_call_status(call: *const c_void) -> u16;
    fn eng_call_fields(call: *const c_void, visit: extern "C" fn(*mut c_void, Slice, Slice), data: *mut c_void);
    fn eng_call_body_chunk(call: *const c_void) -> Slice;
    fn eng_call_body_size(call: *const c_void) -> u64;
    fn eng_call_result(call: *const c_void) -> CallResult;
    fn eng_call_cancel(call: *mut c_void);
    fn eng_call_free(call: *mut c_void);
}

/// The kind and text of an error.
pub type Refused = (ErrorKind, String);

/// Runs a fallible C function and takes its output or its error.
fn ask<T>(body: impl FnOnce(*mut T, *mut Error) -> bool) -> Result<T, Refused> {
    let mut out = std::mem::MaybeUninit::uninit();
    let mut error = std::mem::MaybeUninit::<Error>::uninit();
    if body(out.as_mut_ptr(), error.as_mut_ptr()) {
        // SAFETY: it succeeded, so it wrote the output; otherwise, the error.
        return Ok(unsafe { out.assume_init() });
    }
    let error = unsafe { error.assume_init() };
    Err((error.kind, text(error.message)))
}

fn bytes(buffer: Buffer) -> Vec<u8> {
    let bytes = buffer.bytes().to_vec();
    unsafe { eng_buffer_free(buffer) };
    bytes
}

fn text(buffer: Buffer) -> String {
    String::from_utf8(bytes(buffer)).expect("UTF-8")
}

pub fn slice(bytes: &(impl AsRef<[u8]> + ?Sized)) -> Slice {
    Slice::of(bytes.as_ref())
}

macro_rules! handle {
    ($name:ident, $free:ident) => {
        pub struct $name(*mut c_void);
        unsafe impl Send for $name {}
        unsafe impl Sync for $name {}
        impl Drop for $name {
            fn drop(&mut self) {
                unsafe { $free(self.0) };
            }
        }
    };
}

handle!(Engine, eng_engine_free);
handle!(Code, eng_code_free);
handle!(Image, eng_image_free);
handle!(Call, eng_call_free);

pub const SMALL: Config = Config {
    unbounded: false,
    pool_instances: 32,
    pool_memory_bytes: 64 << 20,
    keep_resident_bytes: 0,
    tick_microseconds: 1000,
    wasi03: true,
    outbound_ca: NOTHING,
};

const NOTHING: Slice = Slice { data: null(), size: 0 };

/// Most tests share one engine.
pub fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&SMALL).expect("an engine"))
}

impl Engine {
    pub fn new(config: &Config) -> Result<Self, Refused> {
        ask(|out, error| unsafe { eng_engine_new(config, out, error) }).map(Self)
    }

    pub fn fingerprint(&self) -> String {
        text(unsafe { eng_fingerprint(self.0) })
    }

    pub fn offers(&self) -> serde_json::Value {
        serde_json::from_str(&text(unsafe { eng_offers(self.0) })).expect("JSON")
    }

    pub fn describe(&self, binary: &[u8]) -> Result<serde_json::Value, Refused> {
        let json = ask(|out, error| unsafe { eng_describe(self.0, slice(binary), out, error) })?;
        Ok(serde_json::from_slice(&bytes(json)).expect("JSON"))
    }

    pub fn compile(&self, binary: &[u8]) -> Result<Code, Refused> {
        ask(|out, error| unsafe { eng_compile(self.0, slice(binary), out, error) }).map(Code)
    }

    pub fn deserialize(&self, path: &Path) -> Result<Code, Refused> {
        let path = CString::new(path.to_str().expect("UTF-8")).expect("no NUL");
        ask(|out, error| unsafe { eng_deserialize_file(self.0, path.as_ptr(), out, error) }).map(Code)
    }

    pub fn link(&self, code: &Code, flags: u32) -> Result<Image, Refused> {
        ask(|out, error| unsafe { eng_link(self.0, code.0, flags, out, error) }).map(Image)
    }
}

impl Code {
    pub fn serialize(&self) -> Vec<u8> {
        bytes(ask(|out, error| unsafe { eng_serialize(self.0, out, error) }).expect("serialized"))
    }
}

#[repr(C)]
pub struct WitFile {
    path: Slice,
    bytes: Slice,
}

#[repr(C)]
pub struct WitPackage {
    files: *const WitFile,
    count: usize,
}

/// Packages as the header has them; each is its files' names and texts.
fn with_packages<T>(packages: &[&[(&str, &str)]], body: impl FnOnce(*const WitPackage, usize) -> T) -> T {
    let file = |(path, text): &(&str, &str)| WitFile { path: slice(path), bytes: slice(text) };
    let files: Vec<Vec<WitFile>> = packages.iter().map(|package| package.iter().map(file).collect()).collect();
    let list: Vec<_> = files.iter().map(|files| WitPackage { files: files.as_ptr(), count: files.len() }).collect();
    body(list.as_ptr(), list.len())
}

pub fn wit_parse(packages: &[&[(&str, &str)]], docs: bool) -> Result<String, Refused> {
    let json = with_packages(packages, |list, count| {
        ask(|out, error| unsafe { eng_wit_parse(list, count, docs, out, error) })
    });
    json.map(text)
}

pub fn wit_decode(binary: &[u8]) -> Result<String, Refused> {
    ask(|out, error| unsafe { eng_wit_decode(slice(binary), out, error) }).map(text)
}

pub fn wit_semver_check(old: &[&[(&str, &str)]], new: &[&[(&str, &str)]], world: &str) -> Result<String, Refused> {
    let json = with_packages(old, |old, old_count| {
        with_packages(new, |new, new_count| {
            ask(|out, error| unsafe { eng_wit_semver_check(old, old_count, new, new_count, slice(world), out, error) })
        })
    });
    json.map(text)
}

pub fn wit_core_functions(packages: &[&[(&str, &str)]], world: &str) -> Result<String, Refused> {
    let json = with_packages(packages, |list, count| {
        ask(|out, error| unsafe { eng_wit_core_functions(list, count, slice(world), out, error) })
    });
    json.map(text)
}

pub fn wit_preview1() -> String {
    String::from_utf8(unsafe { eng_wit_preview1().bytes() }.to_vec()).expect("UTF-8")
}

/// Everything linked, from text.
pub fn image(wat: &str) -> Image {
    let binary = wat::parse_str(wat).expect("valid text");
    engine().link(&engine().compile(&binary).expect("compiles"), 7).expect("links")
}

/// No grant but 16 MiB of memory and 1 MiB of output.
pub fn grants() -> Grants {
    Grants {
        max_memory_bytes: 16 << 20,
        max_output_bytes: 1 << 20,
        env: null(),
        env_count: 0,
        args: null(),
        args_count: 0,
        directories: null(),
        directories_count: 0,
        quota: Quota { folder: NOTHING, max_bytes: 0, max_entries: 0 },
        network: 0,
        hosts: null(),
        hosts_count: 0,
        outbound: Outbound {
            max_requests: 0,
            max_sent_bytes: 0,
            max_received_bytes: 0,
            connect_milliseconds: 0,
            first_byte_milliseconds: 0,
            between_bytes_milliseconds: 0,
            total_milliseconds: 0,
            max_depth: 0,
            via: NOTHING,
        },
        stdin_bytes: slice(""),
        inherit_stdio: false,
    }
}

impl Image {
    pub fn function(&self, name: &str) -> Result<u32, Refused> {
        ask(|out, error| unsafe { eng_image_function(self.0, slice(name), out, error) })
    }

    pub fn start(&self, name: &str, params: &str) -> Result<Call, Refused> {
        self.start_with(name, params, &grants(), 0)
    }

    pub fn start_with(&self, name: &str, params: &str, grants: &Grants, flags: u32) -> Result<Call, Refused> {
        let index = self.function(name)?;
        let params = slice(params);
        ask(|out, error| unsafe { eng_call_function(self.0, index, grants, params, flags, out, error) }).map(Call)
    }

    /// The JSON result of a call that has to succeed.
    pub fn invoke(&self, name: &str, params: &str) -> String {
        let ended = self.start(name, params).expect("valid parameters").finish();
        assert_eq!(ended.outcome, Outcome::Ok, "{}: {}", name, ended.message);
        ended.value
    }

    /// The text of the refusal of parameters.
    pub fn refuses(&self, name: &str, params: &str) -> String {
        let Err((kind, message)) = self.start(name, params) else { panic!("{params} accepted") };
        assert_eq!(kind, ErrorKind::BadParams);
        message
    }

    pub fn command(&self, grants: &Grants) -> Result<Call, Refused> {
        ask(|out, error| unsafe { eng_call_command(self.0, grants, out, error) }).map(Call)
    }

    pub fn http(&self, grants: &Grants, request: &HttpRequest) -> Result<Call, Refused> {
        ask(|out, error| unsafe { eng_call_http(self.0, grants, request, out, error) }).map(Call)
    }
}

/// What a call ended with, owned.
#[derive(Debug)]
pub struct Ended {
    pub outcome: Outcome,
    pub exit_code: i32,
    pub peak_memory: u64,
    pub yields: u32,
    pub value: String,
    pub message: String,
    pub backtrace: String,
    pub stdout: String,
    pub stderr: String,
}

static WAKES: AtomicUsize = AtomicUsize::new(0);
static RETAINED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn retain(_: *mut c_void) {
    RETAINED.fetch_add(1, SeqCst);
}

extern "C" fn release(_: *mut c_void) {
    RETAINED.fetch_sub(1, SeqCst);
}

extern "C" fn wake(data: *mut c_void) {
    WAKES.fetch_add(1, SeqCst);
    // SAFETY: the tests' wakers point at a leaked flag.
    unsafe { &*data.cast::<AtomicUsize>() }.fetch_add(1, SeqCst);
}

/// A waker that counts into a flag, which lives for ever.
pub fn waker() -> (RawWaker, &'static AtomicUsize) {
    let flag: &'static AtomicUsize = Box::leak(Box::default());
    (RawWaker { data: std::ptr::from_ref(flag).cast_mut().cast(), retain, release, wake }, flag)
}

extern "C" fn collect(data: *mut c_void, name: Slice, value: Slice) {
    // SAFETY: `fields` below passes its own vector, and both slices are valid during the visit.
    let list = unsafe { &mut *data.cast::<Vec<(String, String)>>() };
    let text = |slice: Slice| String::from_utf8_lossy(unsafe { slice.bytes() }).into_owned();
    list.push((text(name), text(value)));
}

impl Call {
    pub fn poll(&mut self, waker: &RawWaker) -> Poll {
        unsafe { eng_call_poll(self.0, waker) }
    }

    /// Polls until something else than waiting or yielding happens; waits for wakes, at most ten seconds.
    pub fn next(&mut self) -> Poll {
        let (waker, woken) = waker();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let before = woken.load(SeqCst);
            match self.poll(&waker) {
                Poll::Pending => {
                    while woken.load(SeqCst) == before {
                        assert!(Instant::now() < deadline, "never woken");
                        std::thread::yield_now();
                    }
                }
                Poll::Yielded => assert!(Instant::now() < deadline, "never ends"),
                other => return other,
            }
        }
    }

    pub fn finish(mut self) -> Ended {
        assert_eq!(self.next(), Poll::Done);
        self.ended()
    }

    pub fn ended(&self) -> Ended {
        let result = unsafe { eng_call_result(self.0) };
        let text = |slice: Slice| String::from_utf8_lossy(unsafe { slice.bytes() }).into_owned();
        Ended {
            outcome: result.outcome,
            exit_code: result.exit_code,
            peak_memory: result.peak_memory_bytes,
            yields: result.yields,
            value: text(result.value),
            message: text(result.message),
            backtrace: text(result.backtrace),
            stdout: text(result.stdout_bytes),
            stderr: text(result.stderr_bytes),
        }
    }

    pub fn cancel(&mut self) {
        unsafe { eng_call_cancel(self.0) };
    }

    pub fn status(&self) -> u16 {
        unsafe { eng_call_status(self.0) }
    }

    pub fn size(&self) -> u64 {
        unsafe { eng_call_body_size(self.0) }
    }

    pub fn fields(&self) -> Vec<(String, String)> {
        let mut list = Vec::new();
        unsafe { eng_call_fields(self.0, collect, std::ptr::from_mut(&mut list).cast()) };
        list
    }

    pub fn chunk(&self) -> Vec<u8> {
        unsafe { eng_call_body_chunk(self.0).bytes() }.to_vec()
    }

    pub fn room(&self) -> usize {
        self.with_body(|body| unsafe { eng_body_room(body) })
    }

    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.with_body(|body| unsafe { eng_body_write(body, slice(bytes)) })
    }

    pub fn end_body(&mut self, trailers: &[Pair]) {
        self.with_body(|body| unsafe { eng_body_finish(body, trailers.as_ptr(), trailers.len()) });
    }

    pub fn abort_body(&mut self) {
        self.with_body(|body| unsafe { eng_body_abort(body) });
    }

    fn with_body<T>(&self, act: impl FnOnce(*const c_void) -> T) -> T {
        let body = unsafe { eng_call_body(self.0) };
        assert!(!body.is_null(), "not an HTTP call");
        let result = act(body);
        unsafe { eng_body_free(body) };
        result
    }
}

#[allow(dead_code, reason = "a null handle is freed in one test only")]
pub fn free_nothing() {
    unsafe {
        eng_body_free(null_mut());
        eng_call_free(null_mut());
        eng_image_free(null_mut());
        eng_code_free(null_mut());
        eng_engine_free(null_mut());
    }
}
