//! Bodies of outbound requests on their way: counted, and ended where they are too large or too slow.

use crate::outbound::Outbound;
use crate::refusal::Refusal;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

/// A guest's request body on its way out.
pub struct Sending {
    pub body: WasiBody,
    pub outbound: Arc<Outbound>,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let size = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        if size > 0 && !self.outbound.send_bytes(size) {
            return Poll::Ready(Some(Err(Error::HttpRequestBodySize(Some(self.outbound.limits.sent_bytes)))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body on its way to a guest.
pub struct Receiving {
    body: hyper::body::Incoming,
    outbound: Arc<Outbound>,
    target: String,
    between: Duration,
    end: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Receiving {
    /// `between`: the longest wait for more bytes; `end`: of the whole.
    pub fn new(
        body: hyper::body::Incoming,
        outbound: Arc<Outbound>,
        target: String,
        between: Duration,
        end: Instant,
    ) -> Self {
        let timer = Box::pin(sleep_until((Instant::now() + between).min(end)));
        Self { body, outbound, target, between, end, timer }
    }

    fn late(&self, what: &str, error: Error) -> Error {
        self.outbound.refuse(Refusal::Time, || format!("{}: {what}", self.target));
        error
    }
}

impl Body for Receiving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, Bytes::len);
                if !this.outbound.receive_bytes(size) {
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(
                        this.outbound.limits.received_bytes,
                    )))));
                }
                this.timer.as_mut().reset((Instant::now() + this.between).min(this.end));
                // A body that trickles never waits for its timer.
                if Instant::now() >= this.end {
                    let late = this.late("no end in time", Error::HttpResponseTimeout);
                    return Poll::Ready(Some(Err(late)));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(http_error(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(this.timer.as_mut().poll(context));
                let (what, error) = if Instant::now() >= this.end {
                    ("no end in time", Error::HttpResponseTimeout)
                } else {
                    ("no more bytes in time", Error::ConnectionReadTimeout)
                };
                Poll::Ready(Some(Err(this.late(what, error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// hyper's error, or what one of the bodies here said.
pub fn http_error(error: hyper::Error) -> Error {
    let mut cause = std::error::Error::source(&error);
    while let Some(found) = cause {
        match found.downcast_ref::<Error>() {
            Some(Error::HttpRequestBodySize(size)) => return Error::HttpRequestBodySize(*size),
            _ => cause = found.source(),
        }
    }
    if error.is_timeout() { Error::HttpResponseTimeout } else { Error::Hyper(error) }
}
