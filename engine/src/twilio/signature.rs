//! `X-Twilio-Signature`: proof that a request came from Twilio (TWILIO.md 1 and 12).
//!
//! The signature is base64(HMAC-SHA1(auth token, URL + parameters)): the URL exactly as Twilio called it, and, for a
//! form, every name in byte order with each of its distinct values in byte order. For a JSON body the URL carries
//! the body's hash. Scheme and host come from our configuration alone; what a stranger writes into `Host` or
//! `X-Forwarded-*` has no say.

use super::Secret;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use url::Url;

/// The header that carries the signature.
pub const HEADER: &str = "X-Twilio-Signature";
/// The largest body that is read, in bytes.
pub const BODY_MAX_BYTES: usize = 64 * 1024;
/// The query parameter that carries the hash of a JSON body: SHA-256 in hex.
const BODY_HASH: &str = "bodySHA256";

/// Why a request is refused. No variant holds any part of it, so that all may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No signature at all.
    #[error("the request is not signed")]
    Missing,
    /// The signature is not that of this URL and these parameters by any of our tokens.
    #[error("the signature does not match")]
    Mismatch,
    /// A JSON body whose URL does not carry its hash, or carries several.
    #[error("the URL does not carry the hash of the body")]
    BodyHashMissing,
    /// A JSON body that is not the one that was signed.
    #[error("the body is not the one whose hash was signed")]
    BodyHashMismatch,
    /// More than [`BODY_MAX_BYTES`].
    #[error("the body is larger than {BODY_MAX_BYTES} bytes")]
    TooLarge,
    /// Neither a form nor JSON.
    #[error("the body is neither a form nor JSON")]
    UnsupportedMediaType,
    /// Percent-encoding, UTF-8 or JSON that cannot be read.
    #[error("the body cannot be read")]
    Malformed,
}

/// Form parameters, decoded and in the order they came. `Debug` shows only the names.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a form, strictly: what `form_urlencoded` would mend silently is an error here, because a mended value is
    /// not the one that was signed.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for a broken percent-encoding or bytes that are not UTF-8.
    pub fn parse(body: &[u8]) -> Result<Self, SignatureError> {
        body.split(|&b| b == b'&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let mut halves = pair.splitn(2, |&b| b == b'=');
                let name = decode(halves.next().unwrap_or_default())?;
                Ok((name, decode(halves.next().unwrap_or_default())?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The parameters, as they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All values of a name, as they came.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(n, _)| *n == name).map(|(_, value)| value)
    }

    /// The first value of a name, unless it is empty.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// Each NUL as the replacement character: PostgreSQL can hold none, and a STOP must not be lost for one.
    fn without_nul(mut self) -> Self {
        for text in self.0.iter_mut().flat_map(|(name, value)| [name, value]) {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{FFFD}");
            }
        }
        self
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// One half of a form's pair: `+` is a space, `%XX` a byte, and the whole is UTF-8.
fn decode(half: &[u8]) -> Result<String, SignatureError> {
    let mut bytes = Vec::with_capacity(half.len());
    let mut rest = half.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut nibble = || rest.next().and_then(|&digit| char::from(digit).to_digit(16));
                match (nibble(), nibble()) {
                    (Some(high), Some(low)) => (high << 4 | low) as u8,
                    _ => return Err(SignatureError::Malformed),
                }
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| SignatureError::Malformed)
}

/// A request as it arrived. The path and query are those of the request line, byte for byte.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// Path and query, such as `/webhooks/twilio/status?c=1`.
    pub path_and_query: &'a str,
    /// The `Content-Type`.
    pub content_type: Option<&'a str>,
    /// The body, whole.
    pub body: &'a [u8],
    /// The `X-Twilio-Signature`.
    pub signature: Option<&'a str>,
}

/// What a verified request holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Verified {
    /// A form.
    Form(Params),
    /// A JSON document.
    Json(serde_json::Value),
}

/// Checks signatures. Holds one keyed MAC per token, so that a check pays for its message alone.
#[derive(Clone)]
pub struct Verifier {
    origins: Vec<String>,
    keys: Vec<Hmac<Sha1>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("origins", &self.origins).finish_non_exhaustive()
    }
}

/// The verifier could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifierError {
    /// No token, or an empty one: every request would be refused, or anyone could sign.
    #[error("there is no auth token to check signatures with")]
    NoToken,
    /// The public URL has no host.
    #[error("the public URL must be http or https, with a host")]
    PublicUrl,
}

impl Verifier {
    /// A verifier for requests to our public URL, of which scheme, host and port count. `tokens` are the account's
    /// auth tokens: one, or two while they are rotated; secrets of API keys sign nothing.
    ///
    /// # Errors
    /// [`VerifierError`] where it could only be unsafe.
    pub fn new(public_url: &Url, tokens: &[Secret]) -> Result<Self, VerifierError> {
        if tokens.is_empty() || tokens.iter().any(|token| token.expose().is_empty()) {
            return Err(VerifierError::NoToken);
        }
        let standard_port = match public_url.scheme() {
            "http" => 80,
            "https" => 443,
            _ => return Err(VerifierError::PublicUrl),
        };
        let host = public_url.host_str().ok_or(VerifierError::PublicUrl)?;
        let plain = format!("{}://{host}", public_url.scheme());
        // `port` is None for the standard port, which Twilio sometimes signs and sometimes leaves out.
        let origins = match public_url.port() {
            Some(port) => vec![format!("{plain}:{port}")],
            None => vec![format!("{plain}:{standard_port}"), plain],
        };
        Ok(Self { origins, keys: tokens.iter().map(key).collect() })
    }

    /// Checks a request and reads its body.
    ///
    /// # Errors
    /// [`SignatureError`]; nothing of the body may be believed then.
    pub fn verify(&self, request: &SignedRequest<'_>) -> Result<Verified, SignatureError> {
        if request.body.len() > BODY_MAX_BYTES {
            return Err(SignatureError::TooLarge);
        }
        let signature = request.signature.ok_or(SignatureError::Missing)?;
        match media_type(request.content_type).as_deref() {
            Some("application/x-www-form-urlencoded") => {
                let params = Params::parse(request.body)?;
                self.check(request.path_and_query, &sorted(params.iter()), signature)?;
                Ok(Verified::Form(params.without_nul()))
            }
            Some("application/json") => {
                let hash = body_hash(request.path_and_query)?;
                self.check(request.path_and_query, &[], signature)?;
                if !bool::from(Sha256::digest(request.body).as_slice().ct_eq(&hash)) {
                    return Err(SignatureError::BodyHashMismatch);
                }
                serde_json::from_slice(request.body).map(Verified::Json).map_err(|_| SignatureError::Malformed)
            }
            _ => Err(SignatureError::UnsupportedMediaType),
        }
    }

    /// Compares with every origin and every token, all of them each time: how long it takes tells nothing.
    fn check(&self, path_and_query: &str, pairs: &[(&str, &str)], signature: &str) -> Result<(), SignatureError> {
        // A fragment holds connection overrides and is never sent; should a server pass one on, it is no part of the sum.
        let target = path_and_query.split('#').next().unwrap_or_default();
        let mut matches = Choice::from(0);
        for key in &self.keys {
            for origin in &self.origins {
                let expected = seal(key.clone(), [origin.as_str(), target], pairs);
                matches |= expected.as_bytes().ct_eq(signature.as_bytes());
            }
        }
        if bool::from(matches) { Ok(()) } else { Err(SignatureError::Mismatch) }
    }
}

/// Signs a request as Twilio does. `url` is the whole URL that is called; `params` are the decoded fields of a form, and
/// none for a JSON body.
pub fn sign<'a>(token: &Secret, url: &str, params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let url = url.split('#').next().unwrap_or_default();
    seal(key(token), [url, ""], &sorted(params))
}

fn key(token: &Secret) -> Hmac<Sha1> {
    Hmac::new_from_slice(token.expose().as_bytes()).expect("HMAC takes a key of any length")
}

/// Pairs by name, then value, each once. An empty value counts by its name.
fn sorted<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut pairs: Vec<_> = params.into_iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn seal(mut mac: Hmac<Sha1>, url: [&str; 2], pairs: &[(&str, &str)]) -> String {
    for part in url {
        mac.update(part.as_bytes());
    }
    for (name, value) in pairs {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// The media type without its parameters, in lower case.
fn media_type(content_type: Option<&str>) -> Option<String> {
    Some(content_type?.split(';').next()?.trim().to_ascii_lowercase())
}

/// The hash that the query carries.
fn body_hash(path_and_query: &str) -> Result<[u8; 32], SignatureError> {
    let query =
        path_and_query.split('#').next().and_then(|target| target.split_once('?')).map_or("", |(_, query)| query);
    let params = Params::parse(query.as_bytes())?;
    let mut hashes = params.all(BODY_HASH);
    let (Some(hash), None) = (hashes.next(), hashes.next()) else {
        return Err(SignatureError::BodyHashMissing);
    };
    let mut bytes = [0; 32];
    hex::decode_to_slice(hash, &mut bytes).map_err(|_| SignatureError::BodyHashMissing)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
