//! Seals records with ChaCha20-Poly1305: what lies in the journal can be read only with its key, and a damaged record is
//! known as such.
//!
//! Invariant: no key seals twice under one nonce. Each segment has a key of its own, made of the master key and a random
//! salt, and the nonce is the record's place in it.

use std::fs::File;
use std::io::{Error, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

/// The salt at the beginning of a segment.
pub const SALT_BYTES: usize = 32;
/// The length before each record.
pub const LENGTH_BYTES: u64 = 4;
/// What sealing adds to a record on disk: its length, and a tag.
pub const OVERHEAD: u64 = LENGTH_BYTES + 16;

/// What the keys of all segments are made of.
#[derive(Clone)]
pub struct Master([u8; 32]);

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Master(…)")
    }
}

impl Master {
    /// A key made of whatever text a secret file holds.
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// The key in `path`; made there, for this user's eyes only, where there is none.
    pub fn in_file(path: &Path) -> std::io::Result<Self> {
        match std::fs::read(path) {
            Ok(text) if !text.is_empty() => Ok(Self::of(&text)),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => {
                let text = random::<32>()?;
                let mut options = File::options();
                options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(&text)?;
                Ok(Self::of(&text))
            }
        }
    }
}

fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::other("the system gives no random numbers"))?;
    Ok(bytes)
}

pub struct Sealer {
    key: LessSafeKey,
}

impl Sealer {
    /// A sealer for a new segment, with the salt to write at its beginning.
    pub fn new(master: &Master) -> std::io::Result<(Self, [u8; SALT_BYTES])> {
        let salt = random()?;
        Self::with_salt(master, &salt).map(|sealer| (sealer, salt))
    }

    /// The sealer of a segment that begins with `salt`.
    pub fn with_salt(master: &Master, salt: &[u8; SALT_BYTES]) -> std::io::Result<Self> {
        let key: [u8; 32] = Sha256::new().chain_update(master.0).chain_update(salt).finalize().into();
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| Error::other("no key"))?;
        Ok(Self { key: LessSafeKey::new(key) })
    }

    pub fn seal(&self, offset: u64, text: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = text.to_vec();
        self.key.seal_in_place_append_tag(nonce(offset), Aad::empty(), &mut sealed).ok()?;
        Some(sealed)
    }

    /// The text of a record; `None` where it is not what was sealed.
    pub fn open<'a>(&self, offset: u64, sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        self.key.open_in_place(nonce(offset), Aad::empty(), sealed).ok().map(|text| &*text)
    }
}

fn nonce(offset: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
