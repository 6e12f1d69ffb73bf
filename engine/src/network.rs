//! Which hosts and addresses a call may reach.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// `eng_network` with its hosts.
#[derive(Clone, Default)]
pub enum Network {
    #[default]
    None,
    Listed(Arc<[Host]>),
    All,
}

/// One entry of the list: "host", "host:port" or "*.domain".
pub struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    pub fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        // A bare IPv6 address has several colons and no port; with a port it stands in brackets.
        let split = text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let (host, port) = match split.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
            Some((host, port)) => (host, Some(port)),
            None => (text.as_str(), None),
        };
        Self { name: host.trim_matches(['[', ']']).to_string(), port }
    }

    fn allows(&self, host: &str, port: u16) -> bool {
        let named = match self.name.strip_prefix('*') {
            Some(domain) if domain.starts_with('.') => host.len() > domain.len() && host.ends_with(domain),
            _ => host == self.name,
        };
        named && self.port.is_none_or(|own| own == port)
    }

    async fn resolves_to(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        if self.port.is_some_and(|port| port != address.port()) || self.name.starts_with('*') {
            return false;
        }
        match self.name.parse::<std::net::IpAddr>() {
            Ok(literal) => literal.to_canonical() == ip,
            Err(_) => tokio::net::lookup_host((self.name.as_str(), address.port()))
                .await
                .is_ok_and(|mut found| found.any(|found| found.ip().to_canonical() == ip)),
        }
    }
}

impl Network {
    fn allows_http(&self, uri: &http::Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let default = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        match self {
            Self::None => false,
            Self::Listed(hosts) => hosts.iter().any(|own| own.allows(&host, uri.port_u16().unwrap_or(default))),
            Self::All => true,
        }
    }

    /// Sockets: nothing, or connections to the addresses that listed hosts have at that moment, or everything.
    pub fn grant(&self, wasi: &mut WasiCtxBuilder) {
        if matches!(self, Self::None) {
            return;
        }
        wasi.allow_tcp(true).allow_udp(true).allow_ip_name_lookup(true);
        let Self::Listed(hosts) = self else {
            wasi.inherit_network();
            return;
        };
        let hosts = hosts.clone();
        wasi.socket_addr_check(move |address, usage| {
            let hosts = hosts.clone();
            Box::pin(async move {
                match usage {
                    // Binding to nothing in particular precedes every outgoing connection.
                    SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                        address.ip().is_unspecified() && address.port() == 0
                    }
                    SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                        for host in hosts.iter() {
                            if host.resolves_to(address).await {
                                return true;
                            }
                        }
                        false
                    }
                    SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
                }
            })
        });
    }
}

type Sent = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sending = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Sent), Error>> + Send>;

/// What one body holds that was written and not yet sent on, as much as an exchange keeps of a body.
const BODY_PIECE: usize = 64 * 1024;

impl WasiHttpHooks for Network {
    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE
    }

    fn send_request(&mut self, request: http::Request<WasiBody>, options: Option<RequestOptions>, _: Sent) -> Sending {
        if !self.allows_http(request.uri()) {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        Box::new(async move {
            use http_body_util::BodyExt;
            let (response, connection) = wasmtime_wasi_http::default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(connection) as Sent))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reachable(list: &[&str], uri: &str) -> bool {
        let network = Network::Listed(list.iter().map(|host| Host::parse(host)).collect());
        network.allows_http(&uri.parse().expect("a URI"))
    }

    #[test]
    fn listed_hosts_are_reachable_and_no_other() {
        assert!(reachable(&["Example.com"], "https://example.COM/x"));
        assert!(!reachable(&["example.com"], "https://example.com.evil.org/"));
        assert!(!reachable(&["example.com"], "https://www.example.com/"));
        assert!(reachable(&["*.example.com"], "https://a.b.example.com/"));
        assert!(!reachable(&["*.example.com"], "https://example.com/"));
        assert!(!reachable(&["*.example.com"], "https://notexample.com/"));
        assert!(!reachable(&[], "https://example.com/"));
    }

    #[test]
    fn a_stated_port_is_the_only_one() {
        assert!(reachable(&["example.com:8080"], "http://example.com:8080/"));
        assert!(!reachable(&["example.com:8080"], "http://example.com/"));
        assert!(reachable(&["example.com:443"], "https://example.com/"));
        assert!(reachable(&["[::1]:80"], "http://[::1]/"));
        assert!(reachable(&["::1"], "http://[::1]:99/"));
    }

    #[test]
    fn nothing_and_everything_are_what_they_say() {
        let uri = "https://example.com/".parse().expect("a URI");
        assert!(!Network::None.allows_http(&uri));
        assert!(Network::All.allows_http(&uri));
    }
}
