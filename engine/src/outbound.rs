//! What a call may do over the network, and what it has done.

use crate::abi::{self, Fallible};
use crate::address::special;
use crate::limits::{Shared, lock};
use crate::network::{Network, normal};
use crate::refusal::Refusal;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

/// Names that a guest has looked up and that are kept for the check of its connections.
const NAMES: usize = 64;

/// `eng_outbound`.
#[derive(Clone, Default)]
pub struct Limits {
    pub requests: u32,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    pub connect: Duration,
    pub first_byte: Duration,
    pub between_bytes: Duration,
    pub total: Duration,
    pub depth: u32,
    /// The `CDN-Loop` of the request that the call answers.
    pub via: String,
}

impl Limits {
    /// # Safety
    /// The slice in `raw` is valid.
    pub unsafe fn of(raw: &abi::Outbound) -> Fallible<Self> {
        let time = |milliseconds: u32| Duration::from_millis(milliseconds.into());
        Ok(Self {
            requests: raw.max_requests,
            sent_bytes: raw.max_sent_bytes,
            received_bytes: raw.max_received_bytes,
            connect: time(raw.connect_milliseconds),
            first_byte: time(raw.first_byte_milliseconds),
            between_bytes: time(raw.between_bytes_milliseconds),
            total: time(raw.total_milliseconds),
            depth: raw.max_depth,
            // SAFETY: the caller's promise.
            via: unsafe { raw.via.text("via")? }.to_string(),
        })
    }
}

/// Of one call.
pub struct Outbound {
    pub network: Network,
    pub limits: Limits,
    pub tls: Arc<rustls::ClientConfig>,
    shared: Arc<Shared>,
    requests: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
    asked: Mutex<Vec<String>>,
}

impl Outbound {
    pub fn new(network: Network, limits: Limits, tls: Arc<rustls::ClientConfig>, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            network,
            limits,
            tls,
            shared,
            requests: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            asked: Mutex::default(),
        })
    }

    pub fn refuse(&self, kind: Refusal, words: impl FnOnce() -> String) {
        self.shared.refusals.add(kind, words);
    }

    /// Takes one of the call's requests; false where none is left.
    pub fn take_request(&self, target: impl FnOnce() -> String) -> bool {
        let taken = self.requests.fetch_update(Relaxed, Relaxed, |requests| {
            (requests < self.limits.requests).then_some(requests.saturating_add(1))
        });
        if taken.is_err() {
            self.refuse(Refusal::Requests, || format!("{} (of {} requests)", target(), self.limits.requests));
        }
        taken.is_ok()
    }

    /// Counts bytes that a guest wants to send; false where they are more than it may.
    pub fn send_bytes(&self, count: usize) -> bool {
        self.spend(&self.sent, count, self.limits.sent_bytes, "sent")
    }

    pub fn receive_bytes(&self, count: usize) -> bool {
        self.spend(&self.received, count, self.limits.received_bytes, "received")
    }

    fn spend(&self, spent: &AtomicU64, count: usize, bound: u64, what: &str) -> bool {
        let before = spent.fetch_add(count as u64, Relaxed);
        let fits = before.saturating_add(count as u64) <= bound;
        if !fits {
            self.refuse(Refusal::Bytes, || format!("more than {bound} bytes {what}"));
        }
        fits
    }

    /// Whether a guest may look that name up.
    pub fn may_resolve(&self, name: &str) -> bool {
        let name = normal(name);
        if self.network.trust(&name, None).is_none() {
            self.refuse(Refusal::Host, || format!("look-up of {name}"));
            return false;
        }
        let mut asked = lock(&self.asked);
        if asked.len() < NAMES && !asked.contains(&name) {
            asked.push(name);
        }
        true
    }

    async fn may_connect(&self, address: SocketAddr) -> bool {
        let asked = lock(&self.asked).clone();
        if !self.network.reaches(address, &asked).await {
            let special = special(address.ip());
            let kind = if special.is_some() { Refusal::Address } else { Refusal::Host };
            self.refuse(kind, || format!("socket to {address}{}", special.map(in_brackets).unwrap_or_default()));
            return false;
        }
        self.take_request(|| format!("socket to {address}"))
    }

    /// Sockets connect and send to what the network allows, and listen nowhere.
    pub fn grant(self: &Arc<Self>, wasi: &mut WasiCtxBuilder) {
        match self.network {
            Network::None => return,
            Network::Host => {
                wasi.inherit_network();
                return;
            }
            Network::Listed(_) | Network::Public(_) => {}
        }
        wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(true);
        let own = self.clone();
        wasi.socket_addr_check(move |address, usage| {
            let own = own.clone();
            Box::pin(async move {
                match usage {
                    // Binding to nothing in particular precedes every outgoing connection.
                    SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                        address.ip().is_unspecified() && address.port() == 0
                    }
                    SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend => own.may_connect(address).await,
                    SocketAddrUse::UdpReceive => {
                        let asked = lock(&own.asked).clone();
                        own.network.reaches(address, &asked).await
                    }
                    SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                        own.refuse(Refusal::Address, || format!("listening at {address}"));
                        false
                    }
                }
            })
        });
    }
}

pub fn in_brackets(kind: &str) -> String {
    format!(" ({kind})")
}
