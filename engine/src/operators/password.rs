//! Passwords: Argon2id on a pool of its own size, and which passwords are refused.

use crate::{Error, Result};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString},
};
use rand::RngCore as _;
use std::sync::OnceLock;
use tokio::sync::Semaphore;

/// The shortest password, in characters (OWASP ASVS 5.0, 6.2.1).
pub(super) const LENGTH_MIN: usize = 8;
/// The longest, in characters: longer ones only cost time.
pub(super) const LENGTH_MAX: usize = 128;
/// Refused below so many guesses, as zxcvbn counts them: all of the few thousand that everyone tries first.
const GUESSES_MIN: u64 = 10_000;
/// Memory, passes and lanes of Argon2id: OWASP's smallest, 19 MiB.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Each hash holds 19 MiB and a core for some 20 ms: a crowd at the door must not take the machine with it.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Whether a new password will do. There are no rules of composition; it must not be one of those that are tried first, and
/// `known` words (name, address) count for nothing in it.
pub(super) fn check_strength(password: &str, known: &[&str]) -> Result<()> {
    let length = password.chars().count();
    if length < LENGTH_MIN {
        return Err(Error::invalid("new", format!("a password has at least {LENGTH_MIN} characters")));
    }
    if length > LENGTH_MAX {
        return Err(Error::invalid("new", format!("a password has at most {LENGTH_MAX} characters")));
    }
    if zxcvbn::zxcvbn(password, known).guesses() < GUESSES_MIN {
        return Err(Error::invalid("new", "this password is one of the first that are tried; choose another"));
    }
    Ok(())
}

/// The password's hash in PHC form.
pub(super) async fn hash(password: String) -> Result<String> {
    on_pool(move || hash_now(&password)).await
}

/// Whether the password fits the hash. Without a hash it takes the same time, and fits nothing.
pub(super) async fn verify(hash: Option<String>, password: String) -> Result<bool> {
    on_pool(move || {
        let nobody = nobody()?;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| nobody.to_owned());
        let parsed = PasswordHash::new(&hash).map_err(|error| Error::internal(error.to_string()))?;
        Ok(hasher()?.verify_password(password.as_bytes(), &parsed).is_ok() && known)
    })
    .await
}

/// Whether the hash was made at another cost than today's, and is to be made again.
pub(super) fn is_outdated(hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return true };
    let current =
        Params::try_from(&parsed).is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == COST);
    parsed.algorithm != Algorithm::Argon2id.ident() || !current
}

async fn on_pool<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _permit = AT_ONCE.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

fn hasher() -> Result<Argon2<'static>> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String> {
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).map_err(|error| Error::internal(error.to_string()))?;
    let hash =
        hasher()?.hash_password(password.as_bytes(), &salt).map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

/// The hash that stands in for accounts that do not exist, of a password that nobody knows.
fn nobody() -> Result<&'static str> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let mut secret = [0; 32];
    rand::rng().fill_bytes(&mut secret);
    let hash = hash_now(&hex::encode(secret))?;
    Ok(HASH.get_or_init(|| hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everyone_tries_first_is_refused() {
        let check = |password: &str, fits: bool| {
            assert_eq!(check_strength(password, &["ada@example.org", "Ada Lovelace"]).is_ok(), fits, "{password:?}");
        };
        for bad in ["", "short", "password", "12345678", "qwertyuiop", "password1", "iloveyou", "aaaaaaaa", "lovelace"]
        {
            check(bad, false);
        }
        check(&"x".repeat(129), false);
        for good in ["correct horse battery staple", "wendeltreppe im nebel", "Трамвай по вторникам", "kT9#vv2Lq"]
        {
            check(good, true);
        }
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let hash = hash("wendeltreppe im nebel".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!is_outdated(&hash));
        assert!(is_outdated(&hash.replace("m=19456", "m=8192")));
        assert!(verify(Some(hash.clone()), "wendeltreppe im nebel".to_owned()).await.unwrap());
        assert!(!verify(Some(hash), "Wendeltreppe im nebel".to_owned()).await.unwrap());
        assert!(!verify(None, String::new()).await.unwrap());
    }
}
