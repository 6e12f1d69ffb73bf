//! The HTTP requests that a call sends.
//!
//! A name is resolved once; all its addresses are checked, and one of those is connected to, so that no second answer of
//! a name server counts. Redirects are the guest's own business: following one is another request, checked like any.

use crate::address::special;
use crate::network::{Trust, normal};
use crate::outbound::{Outbound, in_brackets};
use crate::outbound_body::{Receiving, Sending, http_error};
use crate::refusal::Refusal;
use crate::state::State;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, uri::Scheme};
use http_body_util::BodyExt;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView,
};

/// Says which intermediaries a request has passed (RFC 8586); those that know it neither remove nor change it.
static VIA: HeaderName = HeaderName::from_static("cdn-loop");
const OWN_NAME: &str = "hotswap";
/// What one body holds that was written and not yet sent on, as much as an exchange keeps of a body.
const BODY_PIECE: usize = 64 * 1024;

/// The roots that servers are verified against: always, there is no way around it.
pub fn tls(more_roots: &[u8]) -> Result<Arc<rustls::ClientConfig>, String> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    for certificate in CertificateDer::pem_slice_iter(more_roots) {
        let certificate = certificate.map_err(|error| format!("outbound CA: {error}"))?;
        roots.add(certificate).map_err(|error| format!("outbound CA: {error}"))?;
    }
    if !more_roots.is_empty() && roots.len() == webpki_roots::TLS_SERVER_ROOTS.len() {
        return Err("outbound CA: no certificate in it".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

impl Outbound {
    /// The value that tells the next hosts on the way how often a request has been here.
    fn via(&self) -> Result<HeaderValue, Error> {
        let via = &self.limits.via;
        let depth = hops(via);
        if depth >= self.limits.depth {
            self.refuse(Refusal::Recursion, || format!("a request that has been through {depth} calls"));
            return Err(Error::LoopDetected);
        }
        let value = if via.is_empty() { OWN_NAME.to_string() } else { format!("{via}, {OWN_NAME}") };
        HeaderValue::try_from(value).map_err(|_| Error::HttpProtocolError)
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, Error> {
        let trust = self.network.trust(&target.host, Some(target.port));
        let Some(trust) = trust else {
            self.refuse(Refusal::Host, || target.to_string());
            return Err(Error::HttpRequestDenied);
        };
        let addresses = match target.host.parse() {
            Ok(ip) => vec![SocketAddr::new(ip, target.port)],
            Err(_) => {
                let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
                found.map_err(|error| Error::DnsError { rcode: Some(error.to_string()), info_code: None })?.collect()
            }
        };
        for address in addresses.iter().filter(|_| trust == Trust::Public) {
            if let Some(kind) = special(address.ip()) {
                self.refuse(Refusal::Address, || format!("{target} at {}{}", address.ip(), in_brackets(kind)));
                return Err(Error::DestinationIpProhibited);
            }
        }
        Ok(addresses)
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, Error> {
        let mut failed = Error::DnsError { rcode: Some("no address".into()), info_code: None };
        let mut connected = None;
        for address in self.resolve(target).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    connected = Some(stream);
                    break;
                }
                Err(error) => failed = Error::Connect(error),
            }
        }
        let Some(stream) = connected else { return Err(failed) };
        // Heads and small bodies leave at once.
        let _ = stream.set_nodelay(true);
        if !target.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.clone())?;
        let connector = tokio_rustls::TlsConnector::from(self.tls.clone());
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(self.tls_error(target, error)),
        }
    }

    fn tls_error(&self, target: &Target, error: io::Error) -> Error {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                self.refuse(Refusal::Certificate, || format!("{target}: {why:?}"));
                Error::TlsCertificateError
            }
            Some(rustls::Error::AlertReceived(alert)) => {
                let message = Some(format!("{alert:?}"));
                Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: message }
            }
            Some(_) => Error::TlsProtocolError,
            None => Error::Tls(error),
        }
    }

    /// The guest's own time where it states less than the host's.
    fn time(&self, stated: Option<Duration>, bound: Duration) -> Duration {
        stated.unwrap_or(bound).min(bound)
    }

    fn late(&self, target: &Target, what: &str, error: Error) -> Error {
        self.refuse(Refusal::Time, || format!("{target}: {what}"));
        error
    }

    async fn send(
        self: Arc<Self>,
        mut request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<(Response<WasiBody>, Sent), Error> {
        let target = Target::of(request.uri())?;
        request.headers_mut().insert(VIA.clone(), self.via()?);
        if self.network.trust(&target.host, Some(target.port)).is_some() && !self.take_request(|| target.to_string()) {
            return Err(Error::ConnectionLimitReached);
        }
        let head = request.uri().to_string().len() + head_bytes(request.headers());
        let end = Instant::now() + self.limits.total;
        let by = |stated, bound| (Instant::now() + self.time(stated, bound)).min(end);

        let connecting = timeout_at(by(options.connect_timeout, self.limits.connect), self.connect(&target));
        let late = |what, error| self.late(&target, what, error);
        let stream = connecting.await.map_err(|_| late("no connection in time", Error::ConnectionTimeout))??;
        if !self.send_bytes(head) {
            return Err(Error::HttpRequestHeaderSectionSize(u32::try_from(self.limits.sent_bytes).ok()));
        }
        let (mut sender, connection) =
            hyper::client::conn::http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(http_error)?;
        *request.uri_mut() = origin_form(request.uri())?;
        let request = request.map(|body| Sending { body, outbound: self.clone() });

        let by_first_byte = by(options.first_byte_timeout, self.limits.first_byte);
        let mut connection = Some(Box::pin(connection));
        let response = {
            let mut sending = Box::pin(timeout_at(by_first_byte, sender.send_request(request)));
            poll_fn(|context| {
                if let Poll::Ready(response) = sending.as_mut().poll(context) {
                    return Poll::Ready(response);
                }
                // The connection moves the bytes; one that has ended has left its reason with the request.
                if let Some(running) = &mut connection
                    && running.as_mut().poll(context).is_ready()
                {
                    connection = None;
                    return sending.as_mut().poll(context);
                }
                Poll::Pending
            })
            .await
        };
        drop(sender);
        let response = response.map_err(|_| late("no answer in time", Error::ConnectionReadTimeout))?;
        let response = response.map_err(http_error)?;
        if !self.receive_bytes(head_bytes(response.headers())) {
            return Err(Error::HttpResponseHeaderSectionSize(u32::try_from(self.limits.received_bytes).ok()));
        }
        let between = self.time(options.between_bytes_timeout, self.limits.between_bytes);
        let response =
            response.map(|body| Receiving::new(body, self.clone(), target.to_string(), between, end).boxed_unsync());
        let rest: Sent = Box::new(async move {
            // Moves the rest of both bodies, and ends with them: nobody else sends over this connection.
            let Some(connection) = connection else { return Ok(()) };
            timeout_at(end, connection).await.map_err(|_| Error::HttpResponseTimeout)?.map_err(http_error)
        });
        Ok((response, rest))
    }
}

/// How many of the product's own calls a request has been through.
fn hops(via: &str) -> u32 {
    let names = via.split(',').map(|hop| hop.split(';').next().unwrap_or_default().trim());
    u32::try_from(names.filter(|name| name.eq_ignore_ascii_case(OWN_NAME)).count()).unwrap_or(u32::MAX)
}

fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn origin_form(uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().path_and_query(path).build().map_err(|_| Error::HttpRequestUriInvalid)
}

/// Where a request goes.
struct Target {
    host: String,
    port: u16,
    tls: bool,
}

impl Target {
    fn of(uri: &Uri) -> Result<Self, Error> {
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        // "https://api.example.com@10.0.0.1/" reads like another host than it is.
        if authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = match authority.as_str().rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                port.parse().map_err(|_| Error::HttpRequestUriInvalid)?
            }
            _ if tls => 443,
            _ => 80,
        };
        Ok(Self { host: normal(authority.host()), port, tls })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Sent = Box<dyn Future<Output = Result<(), Error>> + Send>;
type SentResponse = Result<(Response<WasiBody>, Sent), Error>;

/// What ended a body, where a guest asks for it by wasi:http 0.2: wasmtime-wasi-http keeps its own error in the stream, and
/// its own function looks for the one of the bindings there.
pub fn explain_02(linker: &mut Linker<State>) -> Result<(), wasmtime::Error> {
    linker.allow_shadowing(true);
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "http-error-code",
        |mut store, (error,): (Resource<types::IoError>,)| {
            let error = store.data_mut().http().table.get(&error)?;
            Ok((error.downcast_ref::<Error>().map(code_of),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Of those that end a body.
fn code_of(error: &Error) -> types::ErrorCode {
    match error {
        Error::HttpRequestBodySize(size) => types::ErrorCode::HttpRequestBodySize(*size),
        Error::HttpResponseBodySize(size) => types::ErrorCode::HttpResponseBodySize(*size),
        Error::ConnectionReadTimeout => types::ErrorCode::ConnectionReadTimeout,
        Error::HttpResponseTimeout => types::ErrorCode::HttpResponseTimeout,
        Error::Hyper(error) if error.is_incomplete_message() => types::ErrorCode::HttpResponseIncomplete,
        _ => types::ErrorCode::HttpProtocolError,
    }
}

/// wasi:http of one call.
pub struct Hooks(pub Arc<Outbound>);

impl WasiHttpHooks for Hooks {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE
    }

    /// What tells hosts about each other is neither shown to a guest nor taken from one.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        std::sync::Arc::new(|name| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name) || *name == VIA || name.as_str().starts_with("x-hotswap-")
        })
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Sent,
    ) -> Box<dyn Future<Output = SentResponse> + Send> {
        Box::new(self.0.clone().send(request, options.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_hops_are_counted_among_others() {
        assert_eq!(hops(""), 0);
        assert_eq!(hops("hotswap"), 1);
        assert_eq!(hops("other.example, hotswap; v=1 ,HotSwap,hotswapped"), 2);
    }

    #[test]
    fn a_target_is_what_is_connected_to() {
        let of = |uri: &str| Target::of(&uri.parse().expect("a URI")).map(|target| target.to_string());
        assert_eq!(of("https://Example.COM./x").ok().as_deref(), Some("example.com:443"));
        assert_eq!(of("http://[::1]/").ok().as_deref(), Some("::1:80"));
        assert_eq!(of("http://a.example:8080/").ok().as_deref(), Some("a.example:8080"));
        assert!(of("https://good.example@10.0.0.1/").is_err());
        assert!(of("https://good.example:99999/").is_err());
    }

    #[test]
    fn roots_are_checked_when_they_are_given() {
        assert!(tls(b"").is_ok());
        assert!(tls(b"no certificate").is_err());
    }
}
