//! Keys of the installation, made once and kept in its settings: what we sign, nobody else can.

use crate::{Engine, Error, Result, settings};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use sea_orm::ConnectionTrait;
use sha2::Sha256;

/// The setting with the key of links and forms, as 32 bytes in hex.
const LINK_KEY: &str = "link_key";
/// The setting with the key pair of receipts, as PKCS#8 in base64.
const RECEIPT_KEY: &str = "receipt_key";
/// How much of a link's HMAC it carries, in bytes: 128 bits.
pub(crate) const TAG_BYTES: usize = 16;

/// The key of links and forms.
#[derive(Clone)]
pub(crate) struct LinkKey(Vec<u8>);

impl LinkKey {
    /// Reads the key, or makes it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn load<C: ConnectionTrait>(engine: &Engine, conn: &C) -> Result<Self> {
        if let Some(text) = settings::get::<String, _>(conn, LINK_KEY).await? {
            return hex::decode(text).map(Self).map_err(Error::internal);
        }
        let mut fresh = [0_u8; 32];
        rand::rng().fill_bytes(&mut fresh);
        let text: String = settings::get_or_put(engine, conn, LINK_KEY, &hex::encode(fresh)).await?;
        hex::decode(text).map(Self).map_err(Error::internal)
    }

    /// The tag of a message for a purpose: HMAC-SHA256, cut to [`TAG_BYTES`].
    pub fn tag(&self, purpose: &str, message: &[u8]) -> [u8; TAG_BYTES] {
        let mac = self.mac(purpose, message).finalize().into_bytes();
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac[..TAG_BYTES]);
        tag
    }

    /// Whether the tag is the message's, compared in constant time.
    pub fn verifies(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        tag.len() == TAG_BYTES && self.mac(purpose, message).verify_truncated_left(tag).is_ok()
    }

    /// A key of its own for a purpose and what it is for: HMAC-SHA256, whole.
    pub fn derive(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        self.mac(purpose, message).finalize().into_bytes().into()
    }

    fn mac(&self, purpose: &str, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(message);
        mac
    }
}

/// Signs a document, and answers signature and public key, both in base64.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn sign<C: ConnectionTrait>(engine: &Engine, conn: &C, payload: &[u8]) -> Result<(String, String)> {
    let pair = key_pair(engine, conn).await?;
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    Ok((encode(pair.sign(payload).as_ref()), encode(pair.public_key().as_ref())))
}

/// Whether this installation signed the document.
///
/// # Errors
/// [`Error::Unavailable`].
pub(crate) async fn is_ours<C: ConnectionTrait>(
    engine: &Engine,
    conn: &C,
    payload: &[u8],
    signature: &str,
) -> Result<bool> {
    let pair = key_pair(engine, conn).await?;
    let Ok(signature) = BASE64_STANDARD.decode(signature) else { return Ok(false) };
    Ok(UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(payload, &signature).is_ok())
}

async fn key_pair<C: ConnectionTrait>(engine: &Engine, conn: &C) -> Result<Ed25519KeyPair> {
    let text = match settings::get::<String, _>(conn, RECEIPT_KEY).await? {
        Some(text) => text,
        None => {
            let fresh = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                .map_err(|_| Error::internal("the system gives no randomness"))?;
            settings::get_or_put(engine, conn, RECEIPT_KEY, &BASE64_STANDARD.encode(fresh.as_ref())).await?
        }
    };
    let pkcs8 = BASE64_STANDARD.decode(text).map_err(Error::internal)?;
    Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| Error::internal("the setting receipt_key holds no key pair"))
}
