//! Handlers of wasi:http/handler@0.3.

use crate::call::NoResponse;
use crate::http::{Exchange, RequestBody};
use crate::state::State;
use http::request::Parts;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use wasmtime::{Result, Store};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::ServicePre;

type Transmitted = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

/// Runs the guest until its response is complete and nothing that it started is left.
pub async fn run(
    handler: &ServicePre<State>,
    mut store: Store<State>,
    head: Parts,
    exchange: Arc<Exchange>,
) -> Result<()> {
    let service = handler.instantiate_async(&mut store).await?;
    store
        .run_concurrent(async |accessor| {
            let request = http::Request::from_parts(head, RequestBody(exchange.clone()));
            let (request, transmitted) = accessor.with(|mut store| {
                let (request, transmitted) = Request::from_http(store.data_mut().http().hooks, request);
                (request, Box::pin(transmitted) as Transmitted)
            });
            let response = service.handle(accessor, request).await?.map_err(|code| {
                wasmtime::Error::from(NoResponse(format!("the guest answered with the error {code:?}")))
            })?;
            let response = accessor.with(|store| response.into_http(store, transmitted))?;
            exchange.respond(response).await?;
            poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            Ok(())
        })
        .await?
}
