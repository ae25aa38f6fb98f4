//! Who asks, whether they may come in, and how they sign in and out.

use crate::{
    extract::{Caller, Visitor},
    problem,
    web::{Mark, Web},
};
use axum::{
    Form,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use domain::problem::Kind;
use engine::{
    Client, Error,
    operators::{self, SessionToken},
};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use url::Url;

/// The cookie. The prefix makes browsers refuse it unless it is Secure, for this host alone and for all its paths; they
/// take http on the own machine for secure.
pub const COOKIE: &str = "__Host-ese";

/// Finds out who asks, and puts a [`Visitor`] into the request; or refuses it.
pub async fn identified(web: &Web, mut request: Request) -> Result<Request, Response> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let mark = request.extensions().get::<Mark>().cloned();
    let headers = request.headers();
    let client = Client {
        address: peer.map(|peer| address(peer, headers, web).to_string()),
        user_agent: headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned),
        request_id: mark.as_ref().map(|mark| mark.id.clone()),
        idempotency_key: None,
        if_match: None,
    };
    let nonce = mark.map(|mark| mark.nonce).unwrap_or_default();
    let mut visitor = Visitor { client, nonce, ..Visitor::default() };
    if !is_static(request.uri().path()) && !is_machine(request.uri().path()) {
        let jar = CookieJar::from_headers(headers);
        visitor.session = jar.get(COOKIE).map(|cookie| cookie.value().to_owned());
        if let Some(token) = &visitor.session {
            match operators::authenticate(&web.engine, token, &visitor.client).await {
                Ok(actor) => visitor.actor = Some(actor),
                Err(Error::Unauthenticated) => {}
                // Who it is cannot be found out: nobody gets in.
                Err(error) => return Err(problem::answer(&error, &visitor.client)),
            }
        }
    }
    request.extensions_mut().insert(visitor);
    Ok(request)
}

/// Why an identified request may not come in: nobody may without a session but to the doors, and no change may that another
/// site's page asks for.
pub fn refusal(web: &Web, request: &Request) -> Option<Response> {
    let visitor = request.extensions().get::<Visitor>().cloned().unwrap_or_default();
    let path = request.uri().path();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !is_machine(path) && !is_ours(request.headers(), &web.config.public_url) {
        return Some(problem::refuse(Kind::Forbidden, "This request comes from another site.", &visitor.client));
    }
    if visitor.actor.is_some() || is_open(path) {
        return None;
    }
    if path.starts_with("/ui/") || path.starts_with("/api/") || path == "/api" || changes {
        return Some(problem::answer(&Error::Unauthenticated, &visitor.client));
    }
    Some(Redirect::to("/sign-in").into_response())
}

/// What strangers may ask for.
fn is_open(path: &str) -> bool {
    is_static(path) || is_machine(path) || path.starts_with("/p/") || matches!(path, "/sign-in" | "/sign-in/link")
}

/// Callers that are no browsers: they have no session, and prove who they are by other means or learn nothing.
fn is_machine(path: &str) -> bool {
    path.starts_with("/webhooks/") || path.starts_with("/api/v1/") || matches!(path, "/healthz" | "/readyz")
}

/// Files of the dashboard, which are the same for everyone: `/pkg/…` and files such as `/favicon.svg`.
pub fn is_static(path: &str) -> bool {
    let name = path.strip_prefix('/').unwrap_or(path);
    name.starts_with("pkg/") || (name.contains('.') && !name.contains('/'))
}

/// Whether the request comes from a page of ours. A browser sends `Origin` with every change; where one does not, it must
/// say `Sec-Fetch-Site: same-origin`.
fn is_ours(headers: &HeaderMap, public_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site");
    match text("origin") {
        Some(origin) => is_origin(origin, public_url) && site.is_none_or(|site| site == "same-origin"),
        None => site == Some("same-origin"),
    }
}

/// Whether a stream may be opened from there. A same-origin `EventSource` sends no `Origin`, so it may be missing.
pub fn may_listen(headers: &HeaderMap, public_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    text("origin").is_none_or(|origin| is_origin(origin, public_url))
        && text("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

fn is_origin(origin: &str, public_url: &Url) -> bool {
    if origin == public_url.origin().ascii_serialization() {
        return true;
    }
    // On the own machine, `localhost` and `127.0.0.1` are two names of one place.
    let (Ok(origin), true) = (Url::parse(origin), public_url.scheme() == "http") else { return false };
    let local = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    local(&origin) && local(public_url) && origin.scheme() == "http" && origin.port() == public_url.port()
}

/// The client's address: the peer's, or what trusted proxies say of it. Read from the right, the first address that is no
/// proxy of ours; what stands left of it anyone may have written.
fn address(peer: IpAddr, headers: &HeaderMap, web: &Web) -> IpAddr {
    let trusted = |ip: &IpAddr| web.config.settings.trusted_proxies.iter().any(|net| net.contains(ip));
    if !trusted(&peer) {
        return peer;
    }
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let hops = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
    let mut last = peer;
    for hop in hops {
        let Ok(ip) = hop.trim().parse() else { break };
        last = ip;
        if !trusted(&ip) {
            break;
        }
    }
    last
}

/// What the sign-in form sends.
#[derive(Deserialize)]
pub struct Credentials {
    email: String,
    password: String,
}

/// `POST /sign-in`.
pub async fn sign_in(
    State(web): State<Web>,
    visitor: Visitor,
    jar: CookieJar,
    Form(form): Form<Credentials>,
) -> Response {
    match operators::sign_in(&web.engine, &form.email, &form.password, &visitor.client).await {
        Ok(token) => enter(&web, visitor, jar, &token).await,
        Err(Error::Unauthenticated) => Redirect::to("/sign-in?failed=1").into_response(),
        Err(Error::TooMany { .. }) => Redirect::to("/sign-in?limited=1").into_response(),
        Err(error) => problem::answer(&error, &visitor.client),
    }
}

/// What the page of a sign-in link sends.
#[derive(Deserialize)]
pub struct Link {
    token: String,
}

/// `POST /sign-in/link`: spends the link.
pub async fn redeem_link(State(web): State<Web>, visitor: Visitor, jar: CookieJar, Form(form): Form<Link>) -> Response {
    match operators::redeem_link(&web.engine, &form.token, &visitor.client).await {
        Ok(token) => enter(&web, visitor, jar, &token).await,
        Err(Error::Unauthenticated) => Redirect::to("/sign-in?failed=1").into_response(),
        Err(error) => problem::answer(&error, &visitor.client),
    }
}

/// Ends the session that the browser may still have, and hands out the new one.
async fn enter(web: &Web, visitor: Visitor, jar: CookieJar, token: &SessionToken) -> Response {
    if let Some(before) = &visitor.actor
        && let Err(error) = operators::sign_out(&web.engine, before).await
    {
        return problem::answer(&error, &visitor.client);
    }
    (jar.add(cookie(token.expose().to_owned())), Redirect::to("/")).into_response()
}

/// `POST /sign-out`.
pub async fn sign_out(State(web): State<Web>, Caller(actor): Caller, jar: CookieJar) -> Response {
    if let Err(error) = operators::sign_out(&web.engine, &actor).await {
        return problem::answer(&error, &actor.client);
    }
    let mut gone = cookie(String::new());
    gone.make_removal();
    (jar.add(gone), Redirect::to("/sign-in")).into_response()
}

fn cookie(value: String) -> Cookie<'static> {
    Cookie::build((COOKIE, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_change_things() {
        let check = |public: &str, origin: Option<&str>, site: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let public_url = Url::parse(public).unwrap();
            assert_eq!(is_ours(&headers, &public_url), expected, "{public} {origin:?} {site:?}");
        };
        let https = "https://ese.example";
        check(https, Some(https), None, true);
        check(https, Some(https), Some("same-origin"), true);
        check(https, None, Some("same-origin"), true);
        check(https, None, None, false);
        check(https, None, Some("none"), false);
        check(https, Some("null"), None, false);
        check(https, Some("https://ese.example.evil"), None, false);
        check(https, Some("http://ese.example"), None, false);
        check(https, Some("https://evil.example"), Some("same-origin"), false);
        check(https, Some(https), Some("cross-site"), false);
        let local = "http://127.0.0.1:3000";
        check(local, Some("http://localhost:3000"), None, true);
        check(local, Some("http://localhost:3001"), None, false);
        check("https://localhost:3000", Some("http://localhost:3000"), None, false);
    }

    #[test]
    fn message_pages_are_no_files() {
        for file in ["/pkg/ese.abc.js", "/favicon.svg", "/robots.txt"] {
            assert!(is_static(file), "{file}");
        }
        for page in ["/", "/users", "/messages/0191.7", "/ui/imports/1/rejected.csv", "/users/x.y"] {
            assert!(!is_static(page), "{page}");
            assert!(!is_open(page), "{page}");
        }
    }
}
