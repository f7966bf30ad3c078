//! Tokens: random secrets that are given out once, and of which only a hash is kept.

use std::fmt::Write;

use aws_lc_rs::{
    digest::{SHA256, digest},
    error::Unspecified,
    rand,
};
use stockade_domain::{
    ApiKeyId, CustomerId, SessionId,
    account::{AccountId, TokenHash},
};

use crate::Error;

/// A random secret. 16 bytes are more than anybody can try, so its hash needs neither salt nor work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secret([u8; 16]);

impl Secret {
    /// A secret that was made elsewhere; nobody can guess it either.
    pub(crate) fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        let broken = |_: Unspecified| Error::Stopped("the system gives no random numbers".into());
        rand::fill(&mut bytes).map_err(broken)?;
        Ok(Self(bytes))
    }

    pub(crate) fn hash(&self) -> TokenHash {
        let hash = digest(&SHA256, &self.0);
        TokenHash(*hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes"))
    }

    fn write(&self, text: &mut String) {
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
    }

    fn read(hex: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if hex.len() != 32 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A refresh token: whose session, which, the secret that all its tokens have in common, and this one's own.
#[derive(Clone, Copy)]
pub(crate) struct RefreshToken {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) family: Secret,
    pub(crate) secret: Secret,
}

impl RefreshToken {
    /// `c` (a customer) or `a`, the account's number, the session, and the two secrets: `c7_12_<64 digits>`.
    pub(crate) fn write(&self) -> String {
        let kind = match self.account {
            AccountId::Customer(_) => 'c',
            AccountId::Account(_) => 'a',
        };
        let mut text = format!("{kind}{}_{}_", self.account.number(), self.session);
        self.family.write(&mut text);
        self.secret.write(&mut text);
        text
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('_');
        let (account, session, secrets) = (parts.next()?, parts.next()?, parts.next()?);
        let account = match account.split_at_checked(1)? {
            ("c", number) => AccountId::Customer(CustomerId(number.parse().ok()?)),
            ("a", number) => AccountId::Account(number.parse().ok()?),
            _ => return None,
        };
        let (family, secret) = secrets.split_at_checked(32)?;
        Some(Self {
            account,
            session: SessionId(session.parse().ok()?),
            family: Secret::read(family)?,
            secret: Secret::read(secret)?,
        })
    }
}

/// How an API key begins, so that nobody takes it for another token.
const API_KEY_PREFIX: &str = "stk_";

/// An API key as it is given out: `stk_3_<32 digits>`.
pub(crate) fn write_api_key(id: ApiKeyId, secret: &Secret) -> String {
    let mut text = format!("{API_KEY_PREFIX}{id}_");
    secret.write(&mut text);
    text
}

pub(crate) fn read_api_key(text: &str) -> Option<(ApiKeyId, Secret)> {
    let (id, secret) = text.strip_prefix(API_KEY_PREFIX)?.split_once('_')?;
    Some((ApiKeyId(id.parse().ok()?), Secret::read(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written_and_nothing_else_is() {
        let (family, secret) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert!(family != secret && family.hash() != secret.hash());
        for account in [AccountId::Customer(CustomerId(7)), AccountId::Account(1)] {
            let token = RefreshToken { account, session: SessionId(12), family, secret };
            let text = token.write();
            let read = RefreshToken::read(&text).unwrap();
            assert_eq!((read.account, read.session), (account, SessionId(12)));
            assert!(read.family == family && read.secret == secret);
            for end in 0..text.len() {
                assert!(RefreshToken::read(&text[..end]).is_none(), "{}", &text[..end]);
            }
        }
        let text = write_api_key(ApiKeyId(3), &secret);
        assert!(read_api_key(&text) == Some((ApiKeyId(3), secret)));
        for wrong in ["", "stk_", "stk_3_", "stk_3_é", &text[1..], &text[..text.len() - 1]] {
            assert!(read_api_key(wrong).is_none(), "{wrong}");
        }
        for wrong in ["", "é7_1_", "x7_1_", "c_1_", "c7_1", "c7_1_€"] {
            assert!(RefreshToken::read(wrong).is_none(), "{wrong}");
        }
    }
}
