//! The vault: what is personal goes into the journal sealed, and comes out for whoever asks.
//!
//! Every account has a key of its own in the keyring. Sealing and opening take a microsecond and touch no disk, so any lane may;
//! making keys and dropping them does, and happens on a thread of its own.

use std::{io, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hmac, rand,
};
use serde::{Serialize, de::DeserializeOwned};
use stockade_domain::{
    ApiKeyId, IdempotencyKey, KeySlot, OrderId,
    account::{Account, Accounts, Fingerprint, Identity, Personal, Sealed, login_key},
    order::{Details, SealedDetails},
};
use stockade_storage::{Disk, Keyring};

use crate::{OpenError, token::Secret};

/// What is sealed: bytes of the one never pass for the other.
enum Content {
    Person,
    Order(OrderId),
}

impl Content {
    fn bytes(&self) -> [u8; 9] {
        let (kind, id) = match self {
            Self::Person => (b'p', 0),
            Self::Order(id) => (b'o', id.0),
        };
        let mut bytes = [kind; 9];
        bytes[1..].copy_from_slice(&id.to_be_bytes());
        bytes
    }
}

pub(crate) struct Vault {
    ring: Keyring,
}

impl Vault {
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let unreadable = |error: io::Error| OpenError::Keyring(format!("cannot be read: {error}"));
        Ok(Self { ring: Keyring::open(disk).map_err(unreadable)? })
    }

    /// Makes the keys fit the accounts that the journal knows: drops those that a crash left behind, and names what is lost.
    pub(crate) fn settle(&self, accounts: &Accounts) -> Result<(), OpenError> {
        if accounts.last_key() > 0 && self.ring.secret().is_none() {
            self.accept_loss()?;
        }
        // No account and no API key is made before the ring is durable: without them its secret was used for nothing yet.
        let is_used = accounts.last_key() > 0 || accounts.next_api_key() > ApiKeyId(1);
        self.ring.forget_above(is_used.then(|| accounts.last_key()));
        let all = || accounts.customers_after(0).chain(accounts.accounts_after(0));
        let erased: Vec<u64> =
            all().filter(|account| account.is_erased()).map(|account| account.key.0).collect();
        let dropped = self.ring.drop_keys(&erased);
        dropped.map_err(|error| OpenError::Keyring(format!("cannot be written: {error}")))?;
        let is_lost =
            |account: &&Arc<Account>| !account.is_erased() && self.key(account.key).is_none();
        let lost = all().filter(is_lost).count();
        if lost > 0 {
            let damaged = self.ring.damaged();
            tracing::error!(
                lost,
                ?damaged,
                "accounts whose keys are gone: nobody can read who they are"
            );
        }
        Ok(())
    }

    /// A ring that is gone is not taken for a new one, unless somebody says so with an empty file.
    fn accept_loss(&self) -> Result<(), OpenError> {
        let what = match (self.ring.is_there(), self.ring.is_empty()) {
            (true, true) => return Ok(()),
            (true, false) => "is damaged at its beginning",
            (false, _) => "is missing",
        };
        let advice = "put it back; or go on without what it opens, by making it an empty file";
        Err(OpenError::Keyring(format!("{what}, and the journal has accounts: {advice}")))
    }

    /// The slot of a key that no account up to this one has; nothing when more must be made first.
    pub(crate) fn next_after(&self, last: u64) -> Option<KeySlot> {
        self.ring.next_after(last).map(KeySlot)
    }

    /// Makes more keys. Waits for the disk.
    pub(crate) fn extend(&self) -> io::Result<()> {
        let none = |_: Unspecified| io::Error::other("the system gives no random numbers");
        self.ring.extend(|bytes| rand::fill(bytes).map_err(none))
    }

    /// Drops a key for ever. Waits for the disk.
    pub(crate) fn drop_key(&self, slot: KeySlot) -> io::Result<()> {
        self.ring.drop_keys(&[slot.0])
    }

    /// What a login is compared by; nothing while there is no account at all.
    pub(crate) fn fingerprint(&self, login: &str) -> Option<Fingerprint> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.ring.secret()?);
        let tag = hmac::sign(&key, login_key(login).as_bytes());
        tag.as_ref().first_chunk().map(|bytes| Fingerprint(*bytes))
    }

    /// Whether there is a ring.
    pub(crate) fn is_made(&self) -> bool {
        self.ring.secret().is_some()
    }

    /// The secret of an API key that is made under an idempotency key: whoever sends the same command again is shown it again, and
    /// nothing of it is stored. It is of this one key, also when the idempotency key was forgotten and comes again. Nothing while
    /// there is no secret to derive it from.
    pub(crate) fn api_key_secret(&self, id: ApiKeyId, key: &IdempotencyKey) -> Option<Secret> {
        let from = hmac::Key::new(hmac::HMAC_SHA256, &self.ring.secret()?);
        let mut context = hmac::Context::with_key(&from);
        // No login has a zero in it, so that this is the fingerprint of none.
        context.update(b"\0api key");
        context.update(&id.0.to_le_bytes());
        context.update(&key.key);
        context.update(&key.request.to_le_bytes());
        context.sign().as_ref().first_chunk().map(|bytes| Secret::new(*bytes))
    }

    /// Seals a person; nothing if the key is gone.
    pub(crate) fn seal_person(&self, slot: KeySlot, personal: &Personal) -> Option<Identity> {
        let fingerprint =
            |login: &Option<Box<str>>| login.as_deref().and_then(|login| self.fingerprint(login));
        Some(Identity {
            sealed: self.seal(slot, &Content::Person, personal)?,
            email: fingerprint(&personal.email),
            username: fingerprint(&personal.username),
        })
    }

    /// Who an account is; nothing if nobody can know any more.
    pub(crate) fn person(&self, account: &Account) -> Option<Personal> {
        let identity = account.identity.as_ref()?;
        self.unseal(account.key, &Content::Person, &identity.sealed)
    }

    /// Seals what is personal in an order; nothing if the key is gone.
    pub(crate) fn seal_details(
        &self,
        key: KeySlot,
        order: OrderId,
        details: &Details,
    ) -> Option<SealedDetails> {
        Some(SealedDetails { key, sealed: self.seal(key, &Content::Order(order), details)? })
    }

    /// What is personal in an order; nothing if nobody can know any more.
    pub(crate) fn details(&self, order: OrderId, sealed: &SealedDetails) -> Option<Details> {
        self.unseal(sealed.key, &Content::Order(order), &sealed.sealed)
    }

    fn key(&self, slot: KeySlot) -> Option<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, &self.ring.key(slot.0)?).ok()?;
        Some(LessSafeKey::new(key))
    }

    fn seal(&self, slot: KeySlot, content: &Content, thing: &impl Serialize) -> Option<Sealed> {
        let key = self.key(slot)?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut bytes = nonce.to_vec();
        stockade_storage::encode(thing, &mut bytes);
        let aad = Aad::from(content.bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, aad, &mut bytes[NONCE_LEN..]).ok()?;
        bytes.extend_from_slice(tag.as_ref());
        Some(Sealed(bytes.into()))
    }

    fn unseal<T: DeserializeOwned>(
        &self,
        slot: KeySlot,
        content: &Content,
        sealed: &Sealed,
    ) -> Option<T> {
        let key = self.key(slot)?;
        let (nonce, sealed) = sealed.0.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = sealed.to_vec();
        let aad = Aad::from(content.bytes());
        let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut bytes);
        stockade_storage::decode(opened.ok()?).ok()
    }
}
