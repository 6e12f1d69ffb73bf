//! Handlers of wasi:http/incoming-handler@0.2.

use crate::call::NoResponse;
use crate::http::{Exchange, RequestBody};
use crate::state::State;
use futures::future::{Either, select};
use http::request::Parts;
use std::pin::pin;
use std::sync::Arc;
use wasmtime::{Result, Store};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

/// Runs the guest to its end while its response flows into the exchange.
pub async fn run(
    handler: &ProxyPre<State>,
    mut store: Store<State>,
    head: Parts,
    exchange: Arc<Exchange>,
) -> Result<()> {
    let proxy = handler.instantiate_async(&mut store).await?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let scheme = if head.uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let request = http::Request::from_parts(head, RequestBody(exchange.clone()));
    let request = store.data_mut().http().new_incoming_request(scheme, request)?;
    let outparam = store.data_mut().http().new_response_outparam(sender)?;
    let mut respond = pin!(async {
        match receiver.await {
            Ok(Ok(response)) => exchange.respond(response).await,
            Ok(Err(code)) => Err(NoResponse(format!("the guest answered with the error {code:?}")).into()),
            Err(_) => Err(NoResponse("the guest returned without setting a response".into()).into()),
        }
    });
    let responded = {
        let guest = pin!(proxy.wasi_http_incoming_handler().call_handle(&mut store, request, outparam));
        match select(guest, respond.as_mut()).await {
            Either::Left((ended, _)) => {
                ended?;
                None
            }
            Either::Right((responded, guest)) => {
                guest.await?;
                Some(responded)
            }
        }
    };
    // What the guest left open counts as closed, or the body might never end.
    drop(store);
    match responded {
        Some(responded) => responded,
        None => respond.await,
    }
}
