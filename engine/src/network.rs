//! Which hosts and addresses a call may reach.

use crate::address::special;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// `eng_network` with its hosts.
#[derive(Clone, Default)]
pub enum Network {
    #[default]
    None,
    Listed(Arc<[Host]>),
    /// Every public address, and whatever else is listed.
    Public(Arc<[Host]>),
    /// As the process itself.
    Host,
}

/// How far a name that a guest may ask for is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Listed as itself: its addresses are whatever it says.
    Named,
    /// Allowed by a wildcard, or with all others: its addresses have to be public ones.
    Public,
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
        Self { name: normal(host), port }
    }

    fn trust(&self, host: &str, port: Option<u16>) -> Option<Trust> {
        if self.port.zip(port).is_some_and(|(own, port)| own != port) {
            return None;
        }
        if let Some(domain) = self.name.strip_prefix('*').filter(|domain| domain.starts_with('.')) {
            return (host.len() > domain.len() && host.ends_with(domain)).then_some(Trust::Public);
        }
        (host == self.name || same_address(host, &self.name)).then_some(Trust::Named)
    }

    async fn resolves_to(&self, address: SocketAddr) -> bool {
        let fits = self.port.is_none_or(|port| port == address.port());
        fits && !self.name.starts_with('*') && resolves_to(&self.name, address).await
    }
}

/// The one form in which names are compared: small letters, no brackets, no dot at the end.
pub fn normal(host: &str) -> String {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    host.strip_suffix('.').unwrap_or(&host).to_string()
}

fn same_address(host: &str, name: &str) -> bool {
    let parse = |text: &str| text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    parse(host).is_some_and(|address| parse(name) == Some(address))
}

async fn resolves_to(name: &str, address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    match name.parse::<IpAddr>() {
        Ok(literal) => literal.to_canonical() == ip,
        Err(_) => tokio::net::lookup_host((name, address.port()))
            .await
            .is_ok_and(|mut found| found.any(|found| found.ip().to_canonical() == ip)),
    }
}

impl Network {
    fn listed(&self) -> &[Host] {
        match self {
            Self::Listed(hosts) | Self::Public(hosts) => hosts,
            Self::None | Self::Host => &[],
        }
    }

    /// Whether a guest may ask for that name, in its normal form; without a port, whether for any port.
    pub fn trust(&self, host: &str, port: Option<u16>) -> Option<Trust> {
        let listed = self.listed().iter().filter_map(|own| own.trust(host, port));
        let best = listed.max_by_key(|trust| *trust == Trust::Named);
        match self {
            Self::None => None,
            Self::Listed(_) => best,
            Self::Public(_) => best.or(Some(Trust::Public)),
            Self::Host => Some(Trust::Named),
        }
    }

    /// Whether a socket may reach that address: listed itself, or an address of a listed name, or of one of `asked`,
    /// the names that the guest has looked up.
    pub async fn reaches(&self, address: SocketAddr, asked: &[String]) -> bool {
        let ip = address.ip().to_canonical();
        match self.trust(&ip.to_string(), Some(address.port())) {
            Some(Trust::Named) => return true,
            Some(Trust::Public) if special(ip).is_none() => return true,
            _ => {}
        }
        for host in self.listed() {
            if host.resolves_to(address).await {
                return true;
            }
        }
        for name in asked {
            let public = self.trust(name, Some(address.port())) == Some(Trust::Public) && special(ip).is_none();
            if public && resolves_to(name, address).await {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(list: &[&str]) -> Network {
        Network::Listed(list.iter().map(|host| Host::parse(host)).collect())
    }

    fn trust(list: &[&str], host: &str, port: u16) -> Option<Trust> {
        listed(list).trust(&normal(host), Some(port))
    }

    #[test]
    fn listed_hosts_are_reachable_and_no_other() {
        assert_eq!(trust(&["Example.com"], "example.COM", 443), Some(Trust::Named));
        assert_eq!(trust(&["example.com"], "example.com.", 443), Some(Trust::Named));
        assert_eq!(trust(&["example.com"], "example.com.evil.org", 443), None);
        assert_eq!(trust(&["example.com"], "www.example.com", 443), None);
        assert_eq!(trust(&[], "example.com", 443), None);
    }

    #[test]
    fn a_wildcard_is_for_what_is_below_it_and_trusts_no_special_address() {
        assert_eq!(trust(&["*.example.com"], "a.b.example.com", 443), Some(Trust::Public));
        assert_eq!(trust(&["*.example.com"], "example.com", 443), None);
        assert_eq!(trust(&["*.example.com"], "notexample.com", 443), None);
        assert_eq!(trust(&["*.example.com", "a.example.com"], "a.example.com", 443), Some(Trust::Named));
    }

    #[test]
    fn a_stated_port_is_the_only_one() {
        assert_eq!(trust(&["example.com:8080"], "example.com", 8080), Some(Trust::Named));
        assert_eq!(trust(&["example.com:8080"], "example.com", 80), None);
        assert_eq!(trust(&["*.example.com:443"], "a.example.com", 80), None);
        assert_eq!(trust(&["[::1]:80"], "[::1]", 80), Some(Trust::Named));
        assert_eq!(trust(&["::1"], "[::1]", 99), Some(Trust::Named));
    }

    #[test]
    fn an_address_is_listed_in_each_of_its_forms() {
        assert_eq!(trust(&["127.0.0.1"], "[::ffff:127.0.0.1]", 80), Some(Trust::Named));
        assert_eq!(trust(&["::1"], "[0:0:0:0:0:0:0:1]", 80), Some(Trust::Named));
        assert_eq!(trust(&["127.0.0.1"], "127.1", 80), None);
    }

    #[test]
    fn nothing_and_everything_are_what_they_say() {
        assert_eq!(Network::None.trust("example.com", Some(80)), None);
        assert_eq!(Network::Public(Arc::new([])).trust("example.com", Some(80)), Some(Trust::Public));
        let named = Network::Public(Arc::new([Host::parse("localhost")]));
        assert_eq!(named.trust("localhost", Some(80)), Some(Trust::Named));
        assert_eq!(Network::Host.trust("localhost", Some(80)), Some(Trust::Named));
    }
}
