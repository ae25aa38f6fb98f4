//! The vectors of Twilio's helper libraries, and what must be refused.

use super::*;
use proptest::prelude::*;

const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";
const PATH: &str = "/myapp.php?foo=1&bar=2";
const CALL: &str = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
const JSON: &str = r#"{"property": "value", "boolean": true}"#;
const JSON_PATH: &str =
    "/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
const JSON_SIGNATURE: &str = "a9nBmqA0ju/hNViExpshrM61xv4=";

fn verifier(public_url: &str, tokens: &[&str]) -> Verifier {
    let tokens: Vec<_> = tokens.iter().map(|token| Secret::new(*token)).collect();
    Verifier::new(&Url::parse(public_url).unwrap(), &tokens).unwrap()
}

fn form<'a>(path_and_query: &'a str, body: &'a str, signature: &'a str) -> SignedRequest<'a> {
    SignedRequest { path_and_query, content_type: Some(FORM), body: body.as_bytes(), signature: Some(signature) }
}

fn json<'a>(path_and_query: &'a str, body: &'a str, signature: &'a str) -> SignedRequest<'a> {
    SignedRequest { content_type: Some("application/json"), ..form(path_and_query, body, signature) }
}

#[track_caller]
fn check(public_url: &str, request: SignedRequest<'_>, expected: Result<(), SignatureError>) {
    assert_eq!(verifier(public_url, &["12345"]).verify(&request).map(drop), expected);
}

#[test]
fn published_vectors() {
    let public_url = "https://mycompany.com";
    check(public_url, form(PATH, CALL, SIGNATURE), Ok(()));
    check(public_url, form(PATH, CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="), Ok(()));
    check("https://mycompany.com:443", form(PATH, CALL, SIGNATURE), Ok(()));
    check("http://mycompany.com", form(PATH, CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4="), Ok(()));
    check("http://mycompany.com:1234", form(PATH, CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="), Ok(()));
    let repeated = "Digits=5678&Sid=CA123&Digits=1234&SidAccount=AC123&Digits=1234";
    check(public_url, form(PATH, repeated, "IK+Dwps556ElfBT0I3Rgjkr1wJU="), Ok(()));
    check(public_url, json(JSON_PATH, JSON, JSON_SIGNATURE), Ok(()));
}

#[test]
fn what_was_not_signed_is_refused() {
    use SignatureError::*;
    let public_url = "https://mycompany.com/ignored/path";
    check(public_url, SignedRequest { signature: None, ..form(PATH, CALL, "") }, Err(Missing));
    check(public_url, form(PATH, CALL, ""), Err(Mismatch));
    check(public_url, form(PATH, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8"), Err(Mismatch));
    check(public_url, form("/myapp.php?foo=1&bar=3", CALL, SIGNATURE), Err(Mismatch));
    check(public_url, form("/myapp.php", CALL, SIGNATURE), Err(Mismatch));
    check(public_url, form(PATH, &CALL.replace("1234&", "1235&"), SIGNATURE), Err(Mismatch));
    check(public_url, form(PATH, &format!("{CALL}&New="), SIGNATURE), Err(Mismatch));
    // The signature of another scheme, host or port: what `Host` says plays no part.
    check("http://mycompany.com", form(PATH, CALL, SIGNATURE), Err(Mismatch));
    check("https://other.example", form(PATH, CALL, SIGNATURE), Err(Mismatch));
    check("https://mycompany.com:8443", form(PATH, CALL, SIGNATURE), Err(Mismatch));
}

#[test]
fn the_body_is_read_strictly() {
    use SignatureError::*;
    let public_url = "https://mycompany.com";
    for bad in ["a=%", "a=%2", "a=%zz", "%+1=a", "a=%FF", "a=%C3%28", "a=\u{e9}%E9"] {
        check(public_url, form(PATH, bad, SIGNATURE), Err(Malformed));
    }
    let large = "a".repeat(BODY_MAX_BYTES + 1);
    check(public_url, form(PATH, &large, SIGNATURE), Err(TooLarge));
    check(public_url, form(PATH, &large[1..], SIGNATURE), Err(Mismatch));
    for content_type in [None, Some(""), Some("text/plain"), Some("multipart/form-data"), Some("application/jsonx")] {
        let request = SignedRequest { content_type, ..form(PATH, CALL, SIGNATURE) };
        check(public_url, request, Err(UnsupportedMediaType));
    }
    let request =
        SignedRequest { content_type: Some("Application/X-WWW-Form-URLencoded"), ..form(PATH, CALL, SIGNATURE) };
    check(public_url, request, Ok(()));
}

#[test]
fn a_json_body_is_bound_by_its_hash() {
    use SignatureError::*;
    let public_url = "https://mycompany.com";
    check(public_url, json(JSON_PATH, "{}", JSON_SIGNATURE), Err(BodyHashMismatch));
    check(public_url, json(JSON_PATH, JSON, SIGNATURE), Err(Mismatch));
    // A validly signed URL without the hash, or with two, proves nothing about the body.
    let token = Secret::new("12345");
    for (path, error) in [
        (PATH.to_owned(), BodyHashMissing),
        (format!("{PATH}&bodySHA256="), BodyHashMissing),
        (format!("{PATH}&bodySHA256=0a1f"), BodyHashMissing),
        (format!("{JSON_PATH}&bodySHA256={}", "0".repeat(64)), BodyHashMissing),
    ] {
        let signature = sign(&token, &format!("{public_url}{path}"), []);
        check(public_url, json(&path, JSON, &signature), Err(error));
    }
    // Signed and whole, but no JSON; and nested deeper than anyone needs.
    for body in ["not json".to_owned(), "[".repeat(20_000)] {
        let path = format!("/?bodySHA256={}", hex::encode(Sha256::digest(&body)));
        let signature = sign(&token, &format!("{public_url}{path}"), []);
        check(public_url, json(&path, &body, &signature), Err(Malformed));
    }
}

#[test]
fn both_tokens_hold_while_they_are_rotated() {
    let url = format!("https://mycompany.com{PATH}");
    for (token, expected) in [("old", Ok(())), ("new", Ok(())), ("other", Err(SignatureError::Mismatch))] {
        let signature = sign(&Secret::new(token), &url, [("a", "b")]);
        let verified = verifier("https://mycompany.com", &["new", "old"]).verify(&form(PATH, "a=b", &signature));
        assert_eq!(verified.map(drop), expected, "{token}");
    }
}

#[test]
fn a_verifier_that_lets_everyone_in_cannot_be_made() {
    let https = Url::parse("https://mycompany.com").unwrap();
    let made = |url: &Url, tokens: &[Secret]| Verifier::new(url, tokens).map(drop);
    assert_eq!(made(&https, &[]), Err(VerifierError::NoToken));
    assert_eq!(made(&https, &[Secret::new("12345"), Secret::new("")]), Err(VerifierError::NoToken));
    let file = Url::parse("file:///tmp").unwrap();
    assert_eq!(made(&file, &[Secret::new("12345")]), Err(VerifierError::PublicUrl));
}

#[test]
fn a_fragment_is_no_part_of_the_sum() {
    let token = Secret::new("12345");
    let url = "https://mycompany.com/a?b=c";
    assert_eq!(sign(&token, &format!("{url}#rc=2&ct=100"), []), sign(&token, url, []));
}

#[test]
fn debug_shows_no_token_and_no_value() {
    let verifier = verifier("https://mycompany.com", &["hunter2"]);
    let params: Params = [("Body", "my secret")].into_iter().collect();
    let debug = format!("{verifier:?} {params:?}");
    assert!(debug.contains("Body") && !debug.contains("secret") && !debug.contains("hunter2"), "{debug}");
}

proptest! {
    #[test]
    fn what_twilio_signs_is_verified(pairs in proptest::collection::vec((".{1,8}", ".{0,8}"), 0..8)) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let url = format!("https://mycompany.com{PATH}");
        let signature = sign(&Secret::new("12345"), &url, pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let verified = verifier("https://mycompany.com", &["12345"]).verify(&form(PATH, &body, &signature));
        let expected: Params = pairs.iter().map(|(n, v)| (n.replace('\0', "\u{FFFD}"), v.replace('\0', "\u{FFFD}"))).collect();
        prop_assert_eq!(verified, Ok(Verified::Form(expected)));
    }
}
