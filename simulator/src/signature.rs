//! `X-Twilio-Signature`: base64(HMAC-SHA1(token, URL + parameters)).
//!
//! The rule and the vectors below are those of Twilio's helper libraries.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Signs one webhook.
///
/// `url` is exactly what is called, query included and fragment left out. `params` are the
/// decoded form fields: names in byte order, each with its distinct values in byte order.
pub fn sign(token: &str, url: &str, params: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    let mut pairs: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    pairs.sort_unstable();
    pairs.dedup();

    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    for (name, value) in pairs {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: [(&str, &str); 5] = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ];

    fn check(url: &str, params: &[(&str, &str)], expected: &str) {
        assert_eq!(sign("12345", url, params), expected, "{url}");
    }

    #[test]
    fn published_vectors() {
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        check(url, &CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        check("https://mycompany.com:443/myapp.php?foo=1&bar=2", &CALL, "kvajT1Ptam85bY51eRf/AJRuM3w=");
        check("http://mycompany.com:80/myapp.php?foo=1&bar=2", &CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4=");
        check("http://mycompany.com:1234/myapp.php?foo=1&bar=2", &CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=");
        check(
            url,
            &[("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")],
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        );
        check(
            "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620",
            &[],
            "a9nBmqA0ju/hNViExpshrM61xv4=",
        );
    }

    #[test]
    fn the_order_of_fields_does_not_matter() {
        let mut reversed = CALL;
        reversed.reverse();
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        assert_eq!(sign("12345", url, &CALL), sign("12345", url, &reversed));
        assert_ne!(sign("12345", url, &CALL), sign("12346", url, &CALL));
    }
}
