//! What images may import.

use crate::abi::{ErrorKind, Failure, Fallible};
use crate::limits::Shared;
use crate::state::{Grants, State};
use crate::{files, sockets};
use std::sync::{Arc, OnceLock};
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

const WASI: u32 = 1;
const SOCKETS: u32 = 2;
const HTTP: u32 = 4;
const EVERY: u32 = WASI | SOCKETS | HTTP;

/// One linker for each set of flags, built when first asked for.
pub struct Linkers {
    engine: wasmtime::Engine,
    wasi03: bool,
    tls: Arc<rustls::ClientConfig>,
    core: [OnceLock<wasmtime::Linker<State>>; 2],
    component: [OnceLock<Linker<State>>; EVERY as usize + 1],
}

impl Linkers {
    pub fn new(engine: &wasmtime::Engine, wasi03: bool, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { engine: engine.clone(), wasi03, tls, core: Default::default(), component: Default::default() }
    }

    pub fn core(&self, flags: u32) -> Fallible<&wasmtime::Linker<State>> {
        let slot = &self.core[(known(flags)? & WASI) as usize];
        get_or_try(slot, || {
            let mut linker = wasmtime::Linker::new(&self.engine);
            if flags & WASI != 0 {
                wasmtime_wasi::p1::add_to_linker_async(&mut linker, State::preview1)?;
                wasmtime_wasi::p0::add_to_linker_async(&mut linker, State::preview1)?;
                files::watch(&mut linker)?;
            }
            Ok(linker)
        })
    }

    pub fn component(&self, flags: u32) -> Fallible<&Linker<State>> {
        get_or_try(&self.component[known(flags)? as usize], || {
            let mut linker = Linker::new(&self.engine);
            for group in GROUPS.iter().filter(|group| flags & group.flag != 0 && (self.wasi03 || !group.wasi03)) {
                (group.add)(&mut linker)?;
            }
            Ok(linker)
        })
    }

    /// The JSON of `eng_offers`.
    pub fn offers(&self) -> Fallible<String> {
        let state = State::new(Grants::default(), Shared::new(0, true), false, self.tls.clone())?;
        let mut store = wasmtime::Store::new(&self.engine, state);
        let core: Vec<_> =
            self.core(WASI)?.iter(&mut store).map(|(module, name, _)| format!("{module}#{name}")).collect();
        let groups = GROUPS.iter().filter(|group| self.wasi03 || !group.wasi03);
        let component: Vec<_> = groups.flat_map(|group| group.names).collect();
        Ok(serde_json::json!({"core": core, "component": component}).to_string())
    }
}

fn known(flags: u32) -> Fallible<u32> {
    if flags & !EVERY == 0 {
        return Ok(flags);
    }
    Err(Failure::new(ErrorKind::Config, format!("link flags {flags:#x}: unknown bits")))
}

fn get_or_try<T>(slot: &OnceLock<T>, build: impl FnOnce() -> Result<T>) -> Fallible<&T> {
    if let Some(built) = slot.get() {
        return Ok(built);
    }
    // Two threads may both build; the first one's linker stays.
    let built = build().map_err(Failure::of(ErrorKind::Internal))?;
    Ok(slot.get_or_init(|| built))
}

/// Interfaces that are linked together.
struct Group {
    flag: u32,
    wasi03: bool,
    names: &'static [&'static str],
    add: fn(&mut Linker<State>) -> Result<()>,
}

const GROUPS: &[Group] = &[
    Group {
        flag: WASI,
        wasi03: false,
        names: &[
            "wasi:cli/environment@0.2.12",
            "wasi:cli/exit@0.2.12",
            "wasi:cli/stderr@0.2.12",
            "wasi:cli/stdin@0.2.12",
            "wasi:cli/stdout@0.2.12",
            "wasi:cli/terminal-input@0.2.12",
            "wasi:cli/terminal-output@0.2.12",
            "wasi:cli/terminal-stderr@0.2.12",
            "wasi:cli/terminal-stdin@0.2.12",
            "wasi:cli/terminal-stdout@0.2.12",
            "wasi:clocks/monotonic-clock@0.2.12",
            "wasi:clocks/wall-clock@0.2.12",
            "wasi:filesystem/preopens@0.2.12",
            "wasi:filesystem/types@0.2.12",
            "wasi:io/error@0.2.12",
            "wasi:io/poll@0.2.12",
            "wasi:io/streams@0.2.12",
            "wasi:random/insecure-seed@0.2.12",
            "wasi:random/insecure@0.2.12",
            "wasi:random/random@0.2.12",
        ],
        add: add_wasi02,
    },
    Group {
        flag: SOCKETS,
        wasi03: false,
        names: &[
            "wasi:sockets/instance-network@0.2.12",
            "wasi:sockets/ip-name-lookup@0.2.12",
            "wasi:sockets/network@0.2.12",
            "wasi:sockets/tcp-create-socket@0.2.12",
            "wasi:sockets/tcp@0.2.12",
            "wasi:sockets/udp-create-socket@0.2.12",
            "wasi:sockets/udp@0.2.12",
        ],
        add: add_sockets02,
    },
    Group {
        flag: HTTP,
        wasi03: false,
        names: &["wasi:http/outgoing-handler@0.2.12", "wasi:http/types@0.2.12"],
        add: |linker| {
            wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
            crate::outbound_http::explain_02(linker)
        },
    },
    Group {
        flag: WASI,
        wasi03: true,
        names: &[
            "wasi:cli/environment@0.3.0",
            "wasi:cli/exit@0.3.0",
            "wasi:cli/stderr@0.3.0",
            "wasi:cli/stdin@0.3.0",
            "wasi:cli/stdout@0.3.0",
            "wasi:cli/terminal-input@0.3.0",
            "wasi:cli/terminal-output@0.3.0",
            "wasi:cli/terminal-stderr@0.3.0",
            "wasi:cli/terminal-stdin@0.3.0",
            "wasi:cli/terminal-stdout@0.3.0",
            "wasi:cli/types@0.3.0",
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:clocks/system-clock@0.3.0",
            "wasi:clocks/types@0.3.0",
            "wasi:filesystem/preopens@0.3.0",
            "wasi:filesystem/types@0.3.0",
            "wasi:random/insecure-seed@0.3.0",
            "wasi:random/insecure@0.3.0",
            "wasi:random/random@0.3.0",
        ],
        add: |linker| {
            wasmtime_wasi::p3::cli::add_to_linker(linker)?;
            wasmtime_wasi::p3::clocks::add_to_linker(linker)?;
            wasmtime_wasi::p3::filesystem::add_to_linker(linker)?;
            wasmtime_wasi::p3::random::add_to_linker(linker)?;
            crate::files03::watch(linker)
        },
    },
    Group {
        flag: SOCKETS,
        wasi03: true,
        names: &["wasi:sockets/ip-name-lookup@0.3.0", "wasi:sockets/types@0.3.0"],
        add: |linker| {
            wasmtime_wasi::p3::sockets::add_to_linker(linker)?;
            sockets::watch_03(linker)
        },
    },
    Group {
        flag: HTTP,
        wasi03: true,
        names: &["wasi:http/client@0.3.0", "wasi:http/types@0.3.0"],
        add: wasmtime_wasi_http::p3::add_to_linker,
    },
];

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

fn add_wasi02(l: &mut Linker<State>) -> Result<()> {
    use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random};
    io::error::add_to_linker::<_, Table>(l, State::table)?;
    io::poll::add_to_linker::<_, Table>(l, State::table)?;
    io::streams::add_to_linker::<_, Table>(l, State::table)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
    random::random::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |state| state.ctx().ctx.random())?;
    cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
    crate::files02::watch(l)
}

fn add_sockets02(l: &mut Linker<State>) -> Result<()> {
    use wasmtime_wasi::p2::bindings::sockets;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::network::add_to_linker::<_, WasiSockets>(l, &Default::default(), State::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
    crate::sockets::watch_02(l)
}
