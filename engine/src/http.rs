//! One HTTP exchange: the request body on its way in, the response on its way out, each bounded.

use crate::abi::{self, ErrorKind, Failure, Fallible};
use crate::limits::lock;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use wasmtime_wasi_http::Error;

/// How many bytes of a body are kept in each direction.
const BOUND: usize = 64 * 1024;

/// Shared by the `eng_call` and the future that runs the guest.
#[derive(Default)]
pub struct Exchange {
    request: Mutex<Incoming>,
    response: Mutex<Outgoing>,
}

#[derive(Default)]
struct Incoming {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    end: End,
    reader: Option<Waker>,
}

#[derive(Default)]
enum End {
    #[default]
    Open,
    Finished(Option<HeaderMap>),
    Aborted,
}

#[derive(Default)]
struct Outgoing {
    head: Option<(StatusCode, HeaderMap, Option<u64>)>,
    frames: VecDeque<Frame<Bytes>>,
    bytes: usize,
    total: u64,
    complete: bool,
    writer: Option<Waker>,
}

/// A part of the response, as the caller sees it.
pub enum Event {
    None,
    Head { status: StatusCode, headers: HeaderMap, size: Option<u64> },
    Body(Bytes),
    Trailers(HeaderMap),
}

impl Exchange {
    /// The bytes that [`Exchange::write`] takes now.
    pub fn room(&self) -> usize {
        let request = lock(&self.request);
        if matches!(request.end, End::Open) { BOUND.saturating_sub(request.bytes) } else { 0 }
    }

    pub fn write(&self, bytes: &[u8]) -> bool {
        let mut request = lock(&self.request);
        if !matches!(request.end, End::Open) || bytes.len() > BOUND - request.bytes.min(BOUND) {
            return false;
        }
        if !bytes.is_empty() {
            request.append(bytes);
        }
        true
    }

    pub fn finish(&self, trailers: Option<HeaderMap>) {
        lock(&self.request).close(End::Finished(trailers));
    }

    pub fn abort(&self) {
        lock(&self.request).close(End::Aborted);
    }

    /// The next part of the response, if there is one.
    pub fn next_event(&self) -> Option<Event> {
        let mut response = lock(&self.response);
        if let Some((status, headers, mut size)) = response.head.take() {
            if response.complete {
                size = Some(response.total);
            }
            return Some(Event::Head { status, headers, size });
        }
        let frame = response.frames.pop_front()?;
        match frame.into_data() {
            Ok(bytes) => {
                response.bytes -= bytes.len();
                if let Some(writer) = response.writer.take() {
                    writer.wake();
                }
                Some(Event::Body(bytes))
            }
            Err(frame) => frame.into_trailers().ok().map(Event::Trailers),
        }
    }

    /// Takes a guest's response: the head at once, then the body as the caller makes room.
    pub async fn respond<B: Body<Data = Bytes, Error = Error>>(&self, response: Response<B>) -> wasmtime::Result<()> {
        let (head, body) = response.into_parts();
        let stated = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        lock(&self.response).head = Some((head.status, head.headers, stated.or_else(|| body.size_hint().exact())));
        let mut body = pin!(body);
        loop {
            poll_fn(|context| self.poll_space(context)).await;
            let Some(frame) = body.frame().await else { break };
            let frame = frame.map_err(|error| wasmtime::format_err!("response body: {error}"))?;
            let mut response = lock(&self.response);
            let size = frame.data_ref().map_or(0, Bytes::len);
            if size > 0 || frame.is_trailers() {
                response.bytes += size;
                response.total += size as u64;
                response.frames.push_back(frame);
            }
        }
        lock(&self.response).complete = true;
        Ok(())
    }

    fn poll_space(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut response = lock(&self.response);
        if response.bytes < BOUND {
            return Poll::Ready(());
        }
        response.writer = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Incoming {
    fn append(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.chunks.push_back(Bytes::copy_from_slice(bytes));
        self.wake();
    }

    fn close(&mut self, end: End) {
        if matches!(self.end, End::Open) {
            self.end = end;
            self.wake();
        }
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

/// The request body as the guest's bindings read it.
pub struct RequestBody(pub Arc<Exchange>);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut request = lock(&self.0.request);
        if let Some(chunk) = request.chunks.pop_front() {
            request.bytes -= chunk.len();
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match &mut request.end {
            End::Open => {
                request.reader = Some(context.waker().clone());
                Poll::Pending
            }
            End::Finished(trailers) => Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
            End::Aborted => Poll::Ready(Some(Err(Error::ConnectionTerminated))),
        }
    }

    fn is_end_stream(&self) -> bool {
        let request = lock(&self.0.request);
        request.chunks.is_empty() && matches!(request.end, End::Finished(None))
    }

    fn size_hint(&self) -> SizeHint {
        let request = lock(&self.0.request);
        match request.end {
            End::Finished(_) => SizeHint::with_exact(request.bytes as u64),
            _ => SizeHint::new(),
        }
    }
}

/// The request's head, and the exchange with the first bytes of its body.
///
/// # Safety
/// Every pointer in `raw` is valid for its count.
pub unsafe fn request(raw: &abi::HttpRequest) -> Fallible<(http::request::Parts, Arc<Exchange>)> {
    // SAFETY: the caller's promise.
    let (method, scheme, authority, path, headers, body) = unsafe {
        (
            raw.method.bytes(),
            raw.scheme.bytes(),
            raw.authority.bytes(),
            raw.path_and_query.bytes(),
            fields(raw.headers, raw.headers_count)?,
            raw.body.bytes(),
        )
    };
    let invalid = |error: http::Error| Failure::new(ErrorKind::Config, format!("HTTP request: {error}"));
    let uri = http::Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().map_err(invalid)?;
    let (mut head, ()) = http::Request::builder().method(method).uri(uri).body(()).map_err(invalid)?.into_parts();
    head.headers = headers;
    let exchange = Exchange::default();
    if !body.is_empty() {
        // The first bytes may exceed the bound; there is no room until the guest has read them.
        lock(&exchange.request).append(body);
    }
    if raw.body_complete {
        exchange.finish(None);
    }
    Ok((head, Arc::new(exchange)))
}

/// # Safety
/// `pairs` is valid for `count`, and so is every slice in it.
pub unsafe fn fields(pairs: *const abi::Pair, count: usize) -> Fallible<HeaderMap> {
    let mut map = HeaderMap::with_capacity(count);
    // SAFETY: the caller's promise.
    for pair in unsafe { abi::array(pairs, count) } {
        // SAFETY: the caller's promise.
        let (name, value) = unsafe { (pair.name.bytes(), pair.value.bytes()) };
        let invalid = || Failure::new(ErrorKind::Config, format!("HTTP field {:?}", String::from_utf8_lossy(name)));
        let name = HeaderName::from_bytes(name).map_err(|_| invalid())?;
        map.append(name, HeaderValue::from_bytes(value).map_err(|_| invalid())?);
    }
    Ok(map)
}
