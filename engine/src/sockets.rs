//! Looking names up: only those that a call may reach. What sockets may connect to is `outbound`'s.

use crate::state::State;
use wasmtime::Result;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

pub fn watch_02(linker: &mut Linker<State>) -> Result<()> {
    use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::Host as _;
    use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, Host as _, Network};
    linker.allow_shadowing(true);
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap(
        "resolve-addresses",
        |mut store, (network, name): (Resource<Network>, String)| {
            if !store.data().outbound().may_resolve(&name) {
                return Ok((Err(ErrorCode::AccessDenied),));
            }
            let mut sockets = store.data_mut().sockets();
            let found = match sockets.resolve_addresses(network, name) {
                Ok(found) => Ok(found),
                Err(error) => Err(sockets.convert_error_code(error)?),
            };
            Ok((found,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

pub fn watch_03(linker: &mut Linker<State>) -> Result<()> {
    use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup::{ErrorCode, HostWithStore};
    linker.allow_shadowing(true);
    linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?.func_wrap_concurrent(
        "resolve-addresses",
        |store, (name,): (String,)| {
            Box::pin(async move {
                if !store.with(|mut access| access.data_mut().outbound().may_resolve(&name)) {
                    return Ok((Err(ErrorCode::AccessDenied),));
                }
                let sockets = store.with_getter::<WasiSockets>(State::sockets);
                Ok((<WasiSockets as HostWithStore<State>>::resolve_addresses(&sockets, name).await?,))
            })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
