//! Random tokens: shown to one person, kept as a hash.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// How many random bytes a token has.
const BYTES: usize = 32;

/// A random token of 256 bits, as URL-safe text.
pub(super) struct Token(String);

impl Token {
    /// A new one.
    pub(super) fn random() -> Self {
        let mut bytes = [0; BYTES];
        rand::rng().fill_bytes(&mut bytes);
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What the database keeps.
    pub(super) fn hash(&self) -> Vec<u8> {
        Self::hash_text(&self.0)
    }

    /// The hash of a text that claims to be a token.
    pub(super) fn hash_text(text: &str) -> Vec<u8> {
        Sha256::digest(text.as_bytes()).to_vec()
    }

    /// The token itself.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A session's token, for the cookie. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken(String);

impl SessionToken {
    pub(super) fn new(token: Token) -> Self {
        Self(token.into_text())
    }

    /// The token, for the cookie and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, other) = (Token::random(), Token::random());
        assert_ne!(one.0, other.0);
        assert_eq!(one.0.len(), 43);
        assert_eq!(one.hash(), Token::hash_text(&one.0));
        assert_eq!(format!("{:?}", SessionToken::new(other)), "SessionToken(***)");
    }
}
