//! Who is let in: strangers nowhere but to the doors, and other sites' pages to nothing that changes anything.

use crate::process::{Server, location};
use leptos::server_fn::axum::server_fn_paths;
use leptos_axum::generate_route_list;
use std::collections::BTreeMap;

const DOORS: [&str; 2] = ["/sign-in", "/sign-in/link"];

fn pages() -> Vec<String> {
    let id = "01935d2c-7c6f-7000-8000-000000000001";
    generate_route_list(app::App)
        .iter()
        .map(|route| route.path().replace("{id}", id).replace("{key}", &format!("{id}.1")))
        .collect()
}

#[tokio::test]
async fn strangers_are_sent_to_the_door() {
    let server = Server::start().await;
    let pages = pages();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let answer = server.get(&page).send().await.unwrap();
        if DOORS.contains(&page.as_str()) {
            assert_eq!(answer.status(), 200, "{page}");
        } else {
            assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/sign-in"), "{page}");
        }
    }
    for path in [
        "/ui/users/export.csv",
        "/ui/users/export.jsonl",
        "/ui/users/x/export.json",
        "/ui/users/x/consent-receipt.json",
        "/ui/live",
        "/ui/imports/x/rejected.csv",
        "/api/v1/users",
        "/ui/nothing",
    ] {
        let answer = server.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    assert_eq!(server.post("/ui/imports/upload?name=x.csv").body("x").send().await.unwrap().status(), 401);
    assert_eq!(server.post("/sign-out").send().await.unwrap().status(), 401);
    server.stop().await;
}

#[tokio::test]
async fn every_server_function_refuses_strangers_and_other_sites() {
    let server = Server::start().await;
    let cookie = server.cookie().await;
    let mut count = 0;
    for (path, method) in server_fn_paths() {
        count += 1;
        assert!(path.starts_with("/ui/fn/"), "{path}");
        let ask = || {
            server
                .http
                .request(method.clone(), format!("{}{path}", server.url))
                .header("content-type", "application/json")
                .body("{}")
        };
        let stranger = ask().header("origin", &server.url).send().await.unwrap();
        assert_eq!(stranger.status(), 401, "{path}");
        assert_eq!(
            stranger.json::<BTreeMap<String, serde_json::Value>>().await.unwrap()["type"],
            "unauthenticated",
            "{path}"
        );
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("x-none", "")] {
            let answer = ask().header("cookie", &cookie).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{path} with {name}: {value}");
        }
    }
    assert!(count >= 10, "only {count} server functions are registered");
    server.stop().await;
}

#[tokio::test]
async fn what_an_operator_may_open() {
    let server = Server::start().await;
    let cookie = server.cookie().await;
    let page = server.get("/").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let api = server.get("/api/v1/nothing").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(
        (api.status().as_u16(), &api.headers()["content-type"]),
        (404, &"application/problem+json".parse().unwrap())
    );
    let foreign = server.get("/ui/live").header("cookie", &cookie).header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let stream = server.get("/ui/live").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(
        (stream.status().as_u16(), &stream.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    let out = server.post("/sign-out").header("cookie", &cookie).send().await.unwrap();
    assert_eq!((out.status().as_u16(), location(&out)), (303, "/sign-in"));
    let after = server.get("/").header("cookie", &cookie).send().await.unwrap();
    assert_eq!((after.status().as_u16(), location(&after)), (303, "/sign-in"));
    server.stop().await;
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let server = Server::start().await;
    let mut nonces = Vec::new();
    for path in ["/sign-in", "/", "/nothing", "/api/nothing", "/healthz"] {
        let answer = server.get(path).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert!(header("strict-transport-security").contains("includeSubDomains"), "{path}");
        assert!(!header("x-request-id").is_empty(), "{path}");
        let policy = header("content-security-policy");
        let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned();
        assert!(nonce.len() >= 22, "{path}: {policy}");
        for part in ["default-src 'self'", "'strict-dynamic'", "object-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("'unsafe-eval'") && !policy.contains("script-src 'unsafe-inline'"), "{policy}");
        if path == "/sign-in" {
            let html = answer.text().await.unwrap();
            let scripts = html.matches("<script").count();
            assert!(scripts > 0 && html.matches(&format!("nonce=\"{nonce}\"")).count() >= scripts, "{html}");
        }
        nonces.push(nonce);
    }
    let count = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), count, "a nonce is used once");
    server.stop().await;
}

#[tokio::test]
async fn methods_and_sizes_have_limits() {
    let server = Server::start().await;
    for method in ["TRACE", "PUT", "DELETE", "PATCH"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = server.http.request(method.clone(), format!("{}/sign-in", server.url)).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
    }
    let large = server.post("/sign-in").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(large.body("x".repeat(2 << 20)).send().await.unwrap().status(), 413);
    server.stop().await;
}

#[tokio::test]
async fn health_tells_life_from_readiness() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").send().await.unwrap().status(), 204);
    let ready = server.get("/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let report: BTreeMap<String, serde_json::Value> = ready.json().await.unwrap();
    assert_eq!(
        (&report["database"], &report["migrations"], &report["redis"]),
        (&"ok".into(), &"ok".into(), &"unused".into())
    );
    server.stop().await;
}
