//! The data of a call's store: what the call is granted, as WASI sees it.

use crate::abi::{self, ErrorKind, Failure, Fallible, Outcome};
use crate::limits::{Limiter, Shared};
use crate::network::{Host, Network};
use crate::outbound::{self, Outbound};
use crate::outbound_http::Hooks;
use crate::quota::Quota;
use bytes::Bytes;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What a call may have open in the host at a time: files, streams, pollables, sets of fields, bodies. Each costs the
/// host memory that [`Limiter`] does not see, and a file costs one of the process's descriptors.
const HANDLES: usize = 1024;
/// Of one set of header fields that a guest makes.
const FIELDS_BYTES: usize = 64 * 1024;
/// Of one request for randomness: it is made in one go, while nothing else has the thread.
const RANDOM_BYTES: u64 = 4 << 20;

/// `eng_grants`, owned by the call.
#[derive(Default)]
pub struct Grants {
    pub max_memory: u64,
    pub max_output: u64,
    env: Vec<(String, String)>,
    args: Vec<String>,
    directories: Vec<(PathBuf, String, FsPerms)>,
    quota: Option<Quota>,
    network: Network,
    outbound: outbound::Limits,
    stdin: Bytes,
    inherit_stdio: bool,
}

impl Grants {
    /// # Safety
    /// Every pointer in `raw` is valid for its count.
    pub unsafe fn copy(raw: &abi::Grants) -> Fallible<Self> {
        // SAFETY: the caller's promise, for every slice and array here.
        unsafe {
            let mut grants = Self {
                max_memory: raw.max_memory_bytes,
                max_output: raw.max_output_bytes,
                inherit_stdio: raw.inherit_stdio,
                stdin: Bytes::copy_from_slice(raw.stdin_bytes.bytes()),
                ..Self::default()
            };
            for pair in abi::array(raw.env, raw.env_count) {
                grants.env.push((pair.name.text("env")?.into(), pair.value.text("env")?.into()));
            }
            for arg in abi::array(raw.args, raw.args_count) {
                grants.args.push(arg.text("args")?.into());
            }
            for directory in abi::array(raw.directories, raw.directories_count) {
                let perms = if directory.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
                let host = directory.host.text("directory")?.into();
                grants.directories.push((host, directory.guest.text("directory")?.into(), perms));
            }
            let folder = raw.quota.folder.text("quota")?;
            if !folder.is_empty() && grants.directories.iter().any(|(_, _, perms)| *perms == FsPerms::ReadWrite) {
                grants.quota = Some(Quota::of(folder.into(), raw.quota.max_bytes, raw.quota.max_entries));
            }
            let hosts = || -> Fallible<Arc<[Host]>> {
                let hosts = abi::array(raw.hosts, raw.hosts_count);
                hosts.iter().map(|host| host.text("hosts").map(Host::parse)).collect()
            };
            grants.outbound = outbound::Limits::of(&raw.outbound)?;
            grants.network = match raw.network {
                0 => Network::None,
                1 => Network::Listed(hosts()?),
                2 => Network::Public(hosts()?),
                3 => Network::Host,
                other => {
                    return Err(Failure::new(ErrorKind::Config, format!("network: {other} is not an eng_network")));
                }
            };
            Ok(grants)
        }
    }

    fn wasi(&self, shared: &Arc<Shared>, outbound: &Arc<Outbound>) -> WasiCtxBuilder {
        let mut wasi = WasiCtxBuilder::new();
        wasi.max_random_size(RANDOM_BYTES);
        wasi.envs(&self.env).args(&self.args);
        if self.inherit_stdio {
            wasi.inherit_stdio();
        } else {
            if !self.stdin.is_empty() {
                wasi.stdin(MemoryInputPipe::new(self.stdin.clone()));
            }
            wasi.stdout(Capture { shared: shared.clone(), stderr: false });
            wasi.stderr(Capture { shared: shared.clone(), stderr: true });
        }
        outbound.grant(&mut wasi);
        wasi
    }
}

/// Built when a guest first asks, because many never do.
enum Wasi {
    Unbuilt,
    Component(Box<WasiCtx>),
    Preview1(Box<WasiP1Ctx>),
}

/// `T` of the call's `Store<T>`.
pub struct State {
    pub limiter: Limiter,
    pub shared: Arc<Shared>,
    grants: Grants,
    wasi: Wasi,
    table: ResourceTable,
    http: WasiHttpCtx,
    hooks: Hooks,
}

impl State {
    /// Opens the granted directories, so that one which does not exist is an error before anything runs.
    pub fn new(grants: Grants, shared: Arc<Shared>, component: bool, tls: Arc<rustls::ClientConfig>) -> Fallible<Self> {
        let outbound = Outbound::new(grants.network.clone(), grants.outbound.clone(), tls, shared.clone());
        let mut wasi = Wasi::Unbuilt;
        if !grants.directories.is_empty() {
            let mut builder = grants.wasi(&shared, &outbound);
            for (host, guest, perms) in &grants.directories {
                builder.preopened_dir(host, guest, *perms).map_err(|error| {
                    Failure::new(ErrorKind::Config, format!("directory {}: {error:#}", host.display()))
                })?;
            }
            wasi = if component { Wasi::Component(builder.build().into()) } else { Wasi::Preview1(preview1(builder)) };
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES);
        Ok(Self {
            limiter: Limiter::new(shared.clone(), grants.max_memory),
            shared,
            hooks: Hooks(outbound),
            grants,
            wasi,
            table,
            http,
        })
    }

    pub fn preview1(&mut self) -> &mut WasiP1Ctx {
        if !matches!(self.wasi, Wasi::Preview1(_)) {
            self.wasi = Wasi::Preview1(preview1(self.grants.wasi(&self.shared, &self.hooks.0)));
        }
        match &mut self.wasi {
            Wasi::Preview1(wasi) => wasi,
            _ => unreachable!("built above"),
        }
    }

    pub fn outbound(&self) -> &Arc<Outbound> {
        &self.hooks.0
    }

    /// None where nothing bounds what the call writes, or where it may not write at all.
    pub fn quota(&self) -> Option<Quota> {
        self.grants.quota.clone()
    }

    pub fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

/// Preview 1 keeps a table of its own.
fn preview1(mut builder: WasiCtxBuilder) -> Box<WasiP1Ctx> {
    let mut wasi = builder.build_p1();
    wasi.ctx().table.set_max_capacity(HANDLES);
    wasi.into()
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        if !matches!(self.wasi, Wasi::Component(_)) {
            self.wasi = Wasi::Component(self.grants.wasi(&self.shared, &self.hooks.0).build().into());
        }
        match &mut self.wasi {
            Wasi::Component(ctx) => WasiCtxView { ctx, table: &mut self.table },
            _ => unreachable!("built above"),
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// Standard output or error, captured up to the call's bound.
#[derive(Clone)]
struct Capture {
    shared: Arc<Shared>,
    stderr: bool,
}

/// Said to the guest that wrote too much, which does not live to hear it.
const TOO_LARGE: &str = "output limit exceeded";

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.shared.capture(self.stderr, &bytes) { Ok(()) } else { Err(StreamError::trap(TOO_LARGE)) }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Capture {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.shared.capture(self.stderr, bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.shared.exceed(Outcome::OutputTooLarge);
        Poll::Ready(Err(io::Error::other(TOO_LARGE)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
