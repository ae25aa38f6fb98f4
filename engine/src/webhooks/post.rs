//! Posting to addresses that somebody typed in: only over https, only to hosts on the public internet, at the very address that
//! was looked up and checked, and without following anyone elsewhere (SECURITY.md 18).

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::{
    Client, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};
use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use url::{Host, Url};

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer is read, in bytes; more of it is of no interest.
const READ_MAX_BYTES: usize = 64 * 1024;
/// How much of an answer is kept, in characters.
const KEPT_CHARS: usize = 500;

/// The networks that are not on the public internet, by IANA's registries of special-purpose addresses.
const RESERVED_V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];
/// Of IPv6 only global unicast is public, and of that not these.
const GLOBAL_V6: &str = "2000::/3";
const RESERVED_V6: &[&str] = &["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// Whether an address is on the public internet. An IPv4 address in an IPv6 one counts as what it is.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            !RESERVED_V4.iter().filter_map(|net| net.parse::<Ipv4Net>().ok()).any(|net| net.contains(&ip))
        }
        IpAddr::V6(ip) => match embedded(ip) {
            Some(ip) => is_public(ip),
            None => {
                let within = |net: &str| net.parse::<Ipv6Net>().is_ok_and(|net| net.contains(&ip));
                within(GLOBAL_V6) && !RESERVED_V6.iter().any(|net| within(net))
            }
        },
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, or translated (64:ff9b::/96).
fn embedded(ip: Ipv6Addr) -> Option<IpAddr> {
    let segments = ip.segments();
    let translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let v4 = translated.then(|| ip.to_bits() as u32).map(std::net::Ipv4Addr::from_bits);
    ip.to_ipv4_mapped().or(v4).map(IpAddr::V4)
}

/// What one attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The answer's status; `None` without one.
    pub status: Option<u16>,
    /// Why it failed; `None` if the receiver took it.
    pub error: Option<String>,
    /// When the receiver wants to be asked again, in seconds.
    pub retry_after_s: Option<u64>,
    /// How long it took.
    pub took: Duration,
    /// How the answer began.
    pub response: String,
}

/// Looks names up, and answers only what is public, unless the host is one of the installation's own.
#[derive(Debug, Clone)]
struct PublicOnly {
    allowed: Arc<[String]>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.allowed.iter().any(|host| host.split(':').next() == Some(name.as_str()));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> = found.filter(|address| allowed || is_public(address.ip())).collect();
            if kept.is_empty() {
                return Err("the host has no address on the public internet".into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Posts to receivers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Poster {
    /// Hosts of the installation's own network, as `host` or `host:port`: they may be private, and plain http.
    allowed: Arc<[String]>,
    https: Arc<OnceLock<Client>>,
    http: Arc<OnceLock<Client>>,
}

impl Poster {
    /// Lets these hosts be reached although they are not on the public internet.
    pub fn new(allowed: &[String]) -> Self {
        let allowed = allowed.iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { allowed, https: Arc::default(), http: Arc::default() }
    }

    fn is_allowed(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        self.allowed.iter().any(|allowed| allowed == host || *allowed == with_port)
    }

    /// The URL, if it may be posted to as far as can be said without looking its host up.
    ///
    /// # Errors
    /// Why not, in words for whoever typed it.
    pub fn target(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|_| "this is not a URL".to_owned())?;
        let Some(host) = url.host() else { return Err("a URL of a receiver has a host".to_owned()) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL with a user name or password would show it to everyone who sees the list".to_owned());
        }
        if self.is_allowed(&url) && matches!(url.scheme(), "http" | "https") {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err("only https: events hold personal data".to_owned());
        }
        let public = match host {
            Host::Domain(name) => name.contains('.') && !name.ends_with(".localhost") && !name.ends_with(".local"),
            Host::Ipv4(ip) => is_public(ip.into()),
            Host::Ipv6(ip) => is_public(ip.into()),
        };
        if public {
            Ok(url)
        } else {
            Err("this host is not on the public internet; WEBHOOK_HOSTS names those of your own network".to_owned())
        }
    }

    fn client(&self, url: &Url) -> reqwest::Result<&Client> {
        // Plain http is for hosts close by and needs no certificate authorities.
        let (slot, secure) = if url.scheme() == "https" { (&self.https, true) } else { (&self.http, false) };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        // Fails if the process has one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            // A proxy would look the host up by itself.
            .no_proxy()
            .dns_resolver(Arc::new(PublicOnly { allowed: self.allowed.clone() }))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("event-stream-engine/", env!("CARGO_PKG_VERSION")));
        let builder = if secure { builder.https_only(true) } else { builder.tls_certs_only([]) };
        let client = builder.build()?;
        Ok(slot.get_or_init(|| client))
    }

    /// Posts a body with these headers.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Posted {
        let began = Instant::now();
        let failed = |why: String, took: Duration| Posted {
            status: None,
            error: Some(why),
            retry_after_s: None,
            took,
            response: String::new(),
        };
        let url = match self.target(url) {
            Ok(url) => url,
            Err(why) => return failed(why, began.elapsed()),
        };
        let client = match self.client(&url) {
            Ok(client) => client,
            Err(error) => return failed(words(&error), began.elapsed()),
        };
        let mut map = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.insert(HeaderName::from_static(name), value);
            }
        }
        let response = match client.post(url).headers(map).body(body).send().await {
            Ok(response) => response,
            Err(error) => return failed(words(&error), began.elapsed()),
        };
        let status = response.status();
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = beginning(response).await;
        Posted {
            status: Some(status.as_u16()),
            error: (!status.is_success()).then(|| refusal(status)),
            retry_after_s: asked,
            took: began.elapsed(),
            response: text,
        }
    }
}

fn refusal(status: StatusCode) -> String {
    if status.is_redirection() {
        format!("it answered {status}: redirects are not followed; enter the address that it leads to")
    } else {
        format!("it answered {status}")
    }
}

/// An error without the URL, which may hold a secret in its query.
fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    format!("it could not be reached: {source}")
}

/// How an answer begins. Receivers that never end are left at once.
async fn beginning(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= READ_MAX_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).chars().filter(|c| *c != '\0').take(KEPT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_reached() {
        for ip in ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fc00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2002:7f00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn addresses_are_refused_in_words() {
        let poster = Poster::new(&["hooks.internal:8080".into(), "127.0.0.1".into()]);
        for good in
            ["https://example.com/hook?x=1", "https://8.8.8.8/", "http://hooks.internal:8080/a", "http://127.0.0.1:9/"]
        {
            assert!(poster.target(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("nonsense", "not a URL"),
            ("https://", "not a URL"),
            ("mailto:a@example.com", "has a host"),
            ("http://example.com/", "only https"),
            ("ftp://127.0.0.1/", "only https"),
            ("https://user:pass@example.com/", "password"),
            ("https://localhost/", "public internet"),
            ("https://printer.local/", "public internet"),
            ("https://10.0.0.1/", "public internet"),
            ("https://0x7f.1/", "public internet"),
            ("https://[::1]/", "public internet"),
            ("http://hooks.internal:8081/", "only https"),
        ] {
            if bad == "https://0x7f.1/" {
                // It is 127.0.0.1 in other words, which this installation allows.
                assert!(poster.target(bad).is_ok());
                assert!(Poster::new(&[]).target(bad).unwrap_err().contains(why), "{bad}");
                continue;
            }
            let refused = poster.target(bad).unwrap_err();
            assert!(refused.contains(why), "{bad}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let poster = Poster::new(&[]);
        let resolver = PublicOnly { allowed: poster.allowed.clone() };
        let refused = resolver.resolve("localhost".parse().unwrap()).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("public internet")));
        let resolver = PublicOnly { allowed: vec!["localhost:80".to_owned()].into() };
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
