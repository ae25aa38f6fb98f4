//! Signing in: the cookie, the limits, and links that work once.

use crate::process::{EMAIL, PASSWORD, Server, cookie_of, location};
use engine::{Actor, operators};

async fn try_password(server: &Server, email: &str, password: &str) -> (String, Option<String>) {
    let form = [("email", email), ("password", password)];
    let answer = server.post("/sign-in").form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    (location(&answer).to_owned(), cookie_of(&answer))
}

#[tokio::test]
async fn a_password_opens_and_its_cookie_is_kept_close() {
    let server = Server::start().await;
    let first = server.cookie().await;
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let answer = server.post("/sign-in").form(&form).send().await.unwrap();
    assert_eq!(location(&answer), "/");
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["__Host-ese=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_ne!(cookie_of(&answer).unwrap(), first, "each session has a token of its own");
    server.stop().await;
}

#[tokio::test]
async fn unknown_accounts_and_wrong_passwords_look_alike() {
    let server = Server::start().await;
    server.cookie().await;
    let wrong = try_password(&server, EMAIL, "wrong").await;
    assert_eq!(wrong, ("/sign-in?failed=1".to_owned(), None));
    assert_eq!(try_password(&server, "nobody@example.org", "wrong").await, wrong);
    server.stop().await;
}

#[tokio::test]
async fn ten_wrong_passwords_are_the_most() {
    let server = Server::start().await;
    server.cookie().await;
    for _ in 0..10 {
        assert_eq!(try_password(&server, EMAIL, "wrong").await.0, "/sign-in?failed=1");
    }
    assert_eq!(try_password(&server, EMAIL, PASSWORD).await.0, "/sign-in?limited=1");
    // The address has used up its tries for other accounts, too.
    assert_eq!(try_password(&server, "nobody@example.org", "wrong").await.0, "/sign-in?limited=1");
    server.stop().await;
}

#[tokio::test]
async fn a_link_works_once_and_opening_its_page_spends_nothing() {
    let server = Server::start().await;
    let token = operators::issue_link(&server.engine, &Actor::system(), EMAIL).await.unwrap();
    let page = server.get(&format!("/sign-in/link?token={token}")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let spend = || server.post("/sign-in/link").form(&[("token", token.as_str())]).send();
    assert_eq!(location(&spend().await.unwrap()), "/");
    assert_eq!(location(&spend().await.unwrap()), "/sign-in?failed=1");
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_that_another_site_asks_for_is_refused() {
    let server = Server::start().await;
    let form = [("email", EMAIL), ("password", PASSWORD)];
    let ask = server.http.post(format!("{}/sign-in", server.url)).form(&form);
    assert_eq!(ask.header("origin", "https://evil.example").send().await.unwrap().status(), 403);
    server.stop().await;
}
