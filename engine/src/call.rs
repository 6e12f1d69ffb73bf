//! A call: a future that owns its store, polled on the caller's thread.

use crate::abi::{self, ErrorKind, Failure, Fallible, Outcome, Poll, one_line, panic_text};
use crate::engine::Engine;
use crate::http::{Event, Exchange};
use crate::image::{Image, Linked};
use crate::json::{self, TooLarge};
use crate::limits::{Shared, lock};
use crate::refusal::Refusals;
use crate::state::{Grants, State};
use crate::{core_value, http02, http03, image, wit_value};
use std::fmt::{self, Write as _};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll as Polled, Waker};
use wasmtime::component::Val as WitVal;
use wasmtime::{Error, PoolConcurrencyLimitError, Result, Store, Trap, UpdateDeadline, Val, WasmBacktrace, bail};
use wasmtime_wasi::I32Exit;

/// How often one poll goes on because the call woke itself, before the caller's thread gets its turn.
const MAX_TURNS: u32 = 64;
/// Host memory that lifting values from a guest may take, besides a share for each byte of output allowed.
const LIFT_BYTES: u64 = 128 << 20;
/// A lifted value takes up to this many times the bytes of its JSON.
const LIFT_RATIO: u64 = 32;

type Running = Pin<Box<dyn Future<Output = Result<Vec<u8>>> + Send>>;

/// What `eng_call` points at.
pub struct Call {
    /// None once the call has ended. Declared before `engine`, so that the instance goes first.
    running: Option<Running>,
    shared: Arc<Shared>,
    pub exchange: Option<Arc<Exchange>>,
    /// What [`Call::poll`] reported last about the response.
    pub event: Event,
    ended: Option<Ended>,
    command: bool,
    cpu_nanoseconds: u64,
    /// None while the call runs.
    wall_nanoseconds: Option<u64>,
    engine: Arc<Engine>,
}

/// How a call ended.
struct Ended {
    outcome: Outcome,
    exit_code: i32,
    value: Vec<u8>,
    message: String,
    backtrace: String,
}

/// An HTTP guest ended without a response.
#[derive(Debug)]
pub struct NoResponse(pub String);

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoResponse {}

impl Call {
    pub fn function(image: &Arc<Image>, index: u32, grants: Grants, params: &[u8], base64: bool) -> Fallible<Self> {
        let index = index as usize;
        let params = json::parse(params)?;
        let missing = || Failure::new(ErrorKind::NoSuchExport, format!("no function has the index {index}"));
        let form = wit_value::Form { bound: grants.max_output, bytes_base64: base64 };
        let (shared, store) = prepare(image, grants)?;
        let (image, engine) = (image.clone(), image.engine.clone());
        let running: Running = match &image.linked {
            Linked::Core(core) => {
                let params = core_value::params(&params, &core.functions.get(index).ok_or_else(missing)?.params)?;
                Box::pin(run_core(image, index, params, store))
            }
            Linked::Component(component) => {
                let params = wit_value::params(&params, &component.functions.get(index).ok_or_else(missing)?.ty)?;
                Box::pin(run_component(image, index, params, store, form))
            }
        };
        Ok(Self::new(running, shared, engine, None, false))
    }

    pub fn command(image: &Arc<Image>, grants: Grants) -> Fallible<Self> {
        let (has_command, name) = match &image.linked {
            Linked::Core(core) => (core.start.is_some(), "_start"),
            Linked::Component(component) => (component.command.is_some(), "wasi:cli/run"),
        };
        if !has_command {
            return Err(Failure::new(ErrorKind::NoSuchExport, format!("not a command: {name} is not exported")));
        }
        let (shared, store) = prepare(image, grants)?;
        Ok(Self::new(Box::pin(run_command(image.clone(), store)), shared, image.engine.clone(), None, true))
    }

    pub fn http(
        image: &Arc<Image>,
        grants: Grants,
        exchange: Arc<Exchange>,
        head: http::request::Parts,
    ) -> Fallible<Self> {
        if !matches!(&image.linked, Linked::Component(component) if component.http.is_some()) {
            let problem =
                "not an HTTP handler: neither wasi:http/incoming-handler@0.2 nor wasi:http/handler@0.3 is exported";
            return Err(Failure::new(ErrorKind::NoSuchExport, problem));
        }
        let (shared, store) = prepare(image, grants)?;
        let running = Box::pin(run_http(image.clone(), store, head, exchange.clone()));
        Ok(Self::new(running, shared, image.engine.clone(), Some(exchange), false))
    }

    fn new(
        running: Running,
        shared: Arc<Shared>,
        engine: Arc<Engine>,
        exchange: Option<Arc<Exchange>>,
        command: bool,
    ) -> Self {
        Self {
            running: Some(running),
            shared,
            exchange,
            event: Event::None,
            ended: None,
            command,
            cpu_nanoseconds: 0,
            wall_nanoseconds: None,
            engine,
        }
    }

    pub fn poll(&mut self, waker: &abi::RawWaker) -> Poll {
        let engine = self.engine.clone();
        let _polling = engine.polling();
        self.shared.begin_poll(waker);
        let poll = self.advance();
        self.cpu_nanoseconds += self.shared.turn();
        // Unless it says that the call waits, the caller polls again of its own accord.
        self.shared.end_poll(poll == Poll::Pending);
        poll
    }

    fn advance(&mut self) -> Poll {
        if let Some(poll) = self.next_event() {
            return poll;
        }
        let waker = Waker::from(self.shared.clone());
        let mut context = Context::from_waker(&waker);
        let yields = self.shared.yields.load(Relaxed);
        let mut turns = 0;
        while let Some(running) = &mut self.running {
            let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(&mut context)));
            match polled {
                Ok(Polled::Pending) if self.shared.exceeded().is_some() => self.end(Err(Error::msg("limit exceeded"))),
                Ok(Polled::Pending) => {}
                Ok(Polled::Ready(result)) => self.end(result),
                Err(panic) => self.end_with(Outcome::Internal, panic_text(&*panic)),
            }
            if let Some(poll) = self.next_event() {
                return poll;
            }
            if self.ended.is_some() {
                break;
            }
            if self.shared.yields.load(Relaxed) != yields {
                return Poll::Yielded;
            }
            if turns == MAX_TURNS || !self.shared.take_woken() {
                return Poll::Pending;
            }
            turns += 1;
        }
        Poll::Done
    }

    /// What the exchange has to report, in order; a call that failed reports nothing more than that.
    fn next_event(&mut self) -> Option<Poll> {
        if self.ended.as_ref().is_some_and(|ended| ended.outcome != Outcome::Ok) {
            return None;
        }
        self.event = self.exchange.as_ref()?.next_event()?;
        match &self.event {
            Event::None => None,
            Event::Head { .. } => Some(Poll::Head),
            Event::Body(_) => Some(Poll::Body),
            Event::Trailers(_) => Some(Poll::Trailers),
        }
    }

    /// Stops the guest, drops its instance and frees its slot; later calls change nothing.
    pub fn cancel(&mut self) {
        if self.ended.is_none() {
            self.end_with(Outcome::Cancelled, "cancelled".into());
        }
    }

    fn end(&mut self, result: Result<Vec<u8>>) {
        match result {
            Ok(value) => {
                self.end_with(Outcome::Ok, String::new());
                if let Some(ended) = &mut self.ended {
                    ended.value = value;
                }
            }
            Err(error) => {
                let (outcome, exit_code) = match (self.shared.exceeded(), error.downcast_ref::<I32Exit>()) {
                    (Some(exceeded), _) => (exceeded, 0),
                    (None, Some(I32Exit(0))) if self.command => (Outcome::Ok, 0),
                    (None, Some(I32Exit(code))) => (Outcome::Exit, *code),
                    (None, None) => (kind_of(&error), 0),
                };
                let message = if outcome == Outcome::Ok { String::new() } else { message_of(&error) };
                self.end_with(outcome, message);
                if let Some(ended) = &mut self.ended {
                    ended.exit_code = exit_code;
                    ended.backtrace = backtrace_of(&error);
                    ended.value = b"null".to_vec();
                }
            }
        }
    }

    fn end_with(&mut self, outcome: Outcome, message: String) {
        let engine = self.engine.clone();
        let _polling = engine.polling();
        // A destructor's panic has nobody left to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| self.running = None));
        self.wall_nanoseconds = Some(self.shared.age());
        self.ended = Some(Ended { outcome, exit_code: 0, value: Vec::new(), message, backtrace: String::new() });
    }

    pub fn refusals(&self) -> &Refusals {
        &self.shared.refusals
    }

    pub fn result(&self) -> abi::CallResult {
        let empty = Ended {
            outcome: Outcome::Internal,
            exit_code: 0,
            value: Vec::new(),
            message: String::new(),
            backtrace: String::new(),
        };
        let ended = self.ended.as_ref().unwrap_or(&empty);
        let output = lock(&self.shared.output);
        abi::CallResult {
            outcome: ended.outcome,
            exit_code: ended.exit_code,
            peak_memory_bytes: self.shared.peak_memory.load(Relaxed),
            cpu_nanoseconds: self.cpu_nanoseconds,
            wall_nanoseconds: self.wall_nanoseconds.unwrap_or_else(|| self.shared.age()),
            yields: self.shared.yields.load(Relaxed),
            refusals: self.shared.refusals.total(),
            value: abi::Slice::of(&ended.value),
            message: abi::Slice::of(ended.message.as_bytes()),
            backtrace: abi::Slice::of(ended.backtrace.as_bytes()),
            stdout_bytes: abi::Slice::of(&output.stdout),
            stderr_bytes: abi::Slice::of(&output.stderr),
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// The store of a call, bounded and interruptible, with nothing in it yet.
fn prepare(image: &Image, grants: Grants) -> Fallible<(Arc<Shared>, Store<State>)> {
    let shared = Shared::new(grants.max_output, image.engine.bounded());
    let component = matches!(image.linked, Linked::Component(_));
    let lift = LIFT_BYTES.saturating_add(grants.max_output.saturating_mul(LIFT_RATIO));
    let state = State::new(grants, shared.clone(), component, image.engine.tls.clone())?;
    let mut store = Store::new(&image.engine.wasmtime, state);
    if !image.engine.bounded() {
        return Ok((shared, store));
    }
    store.set_hostcall_fuel(usize::try_from(lift).unwrap_or(usize::MAX));
    store.limiter(|state| &mut state.limiter);
    let short = image.engine.tick_nanoseconds / 2;
    store.epoch_deadline_callback(move |store| {
        let shared = &store.data().shared;
        // A tick that finds a call just begun or just resumed says nothing about its length.
        if shared.turn() < short {
            return Ok(UpdateDeadline::Continue(1));
        }
        shared.yields.fetch_add(1, Relaxed);
        Ok(UpdateDeadline::Yield(1))
    });
    store.set_epoch_deadline(1);
    Ok((shared, store))
}

async fn instantiate_core(core: &image::CoreImage, store: &mut Store<State>) -> Result<wasmtime::Instance> {
    let instance = core.pre.instantiate_async(&mut *store).await?;
    if let Some(initialize) = &core.initialize {
        core_function(&instance, store, initialize)?.call_async(&mut *store, &[], &mut []).await?;
    }
    Ok(instance)
}

fn core_function(
    instance: &wasmtime::Instance,
    store: &mut Store<State>,
    export: &wasmtime::ModuleExport,
) -> Result<wasmtime::Func> {
    let function = instance.get_module_export(store, export).and_then(wasmtime::Extern::into_func);
    function.ok_or_else(|| Error::msg("the export is not a function"))
}

async fn run_core(image: Arc<Image>, index: usize, params: Vec<Val>, mut store: Store<State>) -> Result<Vec<u8>> {
    let Linked::Core(core) = &image.linked else { bail!("not a core module") };
    let function = &core.functions[index];
    let instance = instantiate_core(core, &mut store).await?;
    let mut results = vec![Val::I32(0); function.results.len()];
    core_function(&instance, &mut store, &function.export)?.call_async(&mut store, &params, &mut results).await?;
    bounded(&store, |bound| core_value::results(&results, bound))
}

async fn run_component(
    image: Arc<Image>,
    index: usize,
    params: Vec<WitVal>,
    mut store: Store<State>,
    form: wit_value::Form,
) -> Result<Vec<u8>> {
    let Linked::Component(component) = &image.linked else { bail!("not a component") };
    let function = &component.functions[index];
    let instance = component.pre.instantiate_async(&mut store).await?;
    let called =
        instance.get_func(&mut store, function.export).ok_or_else(|| Error::msg("the export is not a function"))?;
    let mut results = vec![WitVal::Bool(false); function.ty.results().len()];
    called.call_async(&mut store, &params, &mut results).await?;
    bounded(&store, |_| wit_value::results(&results, &function.ty, form))
}

async fn run_command(image: Arc<Image>, mut store: Store<State>) -> Result<Vec<u8>> {
    match &image.linked {
        Linked::Core(core) => {
            let instance = instantiate_core(core, &mut store).await?;
            let start = core.start.as_ref().ok_or_else(|| Error::msg("not a command"))?;
            core_function(&instance, &mut store, start)?.call_async(&mut store, &[], &mut []).await?;
        }
        Linked::Component(component) => {
            let instance = component.pre.instantiate_async(&mut store).await?;
            let run = component.command.and_then(|export| instance.get_func(&mut store, export));
            let run = run.ok_or_else(|| Error::msg("not a command"))?;
            let mut results = [WitVal::Bool(false)];
            run.call_async(&mut store, &[], &mut results).await?;
            if let [WitVal::Result(Err(_))] = results {
                return Err(I32Exit(1).into());
            }
        }
    }
    Ok(b"null".to_vec())
}

async fn run_http(
    image: Arc<Image>,
    store: Store<State>,
    head: http::request::Parts,
    exchange: Arc<Exchange>,
) -> Result<Vec<u8>> {
    let Linked::Component(component) = &image.linked else { bail!("not a component") };
    match &component.http {
        Some(image::Http::V02(handler)) => http02::run(handler, store, head, exchange).await?,
        Some(image::Http::V03(handler)) => http03::run(handler, store, head, exchange).await?,
        None => bail!("not an HTTP handler"),
    }
    Ok(b"null".to_vec())
}

fn bounded(store: &Store<State>, write: impl FnOnce(u64) -> Result<Vec<u8>, TooLarge>) -> Result<Vec<u8>> {
    let shared = &store.data().shared;
    write(shared.max_output).map_err(|error| {
        shared.exceed(Outcome::OutputTooLarge);
        error.into()
    })
}

fn kind_of(error: &Error) -> Outcome {
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        Outcome::PoolExhausted
    } else if error.downcast_ref::<NoResponse>().is_some() {
        Outcome::NoResponse
    } else {
        Outcome::Trap
    }
}

/// How Wasmtime's backtrace begins, as one of an error's causes.
const BACKTRACE: &str = "error while executing at wasm backtrace";

/// The trap's own words, or the chain of causes without the backtrace that Wasmtime puts on top.
fn message_of(error: &Error) -> String {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return one_line(&trap.to_string());
    }
    let causes = error.chain().map(|cause| one_line(&cause.to_string()));
    causes.filter(|cause| !cause.starts_with(BACKTRACE)).collect::<Vec<_>>().join(": ")
}

fn backtrace_of(error: &Error) -> String {
    let mut text = String::new();
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return text };
    for frame in backtrace.frames() {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = match frame.func_name() {
            // Only what is certainly mangled: to a C++ demangler, a plain "f" is the type float.
            Some(name) if name.starts_with("_Z") || name.starts_with("_R") => {
                wasmtime_environ::demangle_function_name(&mut text, name)
            }
            Some(name) => text.write_str(name),
            None => write!(text, "func[{}]", frame.func_index()),
        };
        let module = frame.module().name().unwrap_or("module");
        let _ = write!(text, " ({module}!func[{}] +0x{:x})", frame.func_index(), frame.func_offset().unwrap_or(0));
    }
    text
}
