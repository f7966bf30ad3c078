use super::Engine;
use crate::OpenError;

/// Secrets of the data directory, each by its name. All of these block on the disk.
impl Engine {
    /// A secret, made when there is none yet and the same ever after: the keys that tokens are signed with. An engine without a
    /// data directory makes it anew each time.
    ///
    /// # Errors
    /// It can be neither read nor written.
    #[doc = include_str!("../../docs/secret.md")]
    pub fn secret(&self, name: &str, make: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>, OpenError> {
        let threads = self.inner.threads.lock();
        match threads.as_ref().and_then(|threads| threads.directory.as_ref()) {
            Some(directory) => Ok(directory.secret(name, make)?),
            None => Ok(make()),
        }
    }

    /// A secret that was made before, if it is still there; an engine without a data directory has none.
    ///
    /// # Errors
    /// It cannot be read.
    #[doc = include_str!("../../docs/kept_secret.md")]
    pub fn kept_secret(&self, name: &str) -> Result<Option<Vec<u8>>, OpenError> {
        let threads = self.inner.threads.lock();
        match threads.as_ref().and_then(|threads| threads.directory.as_ref()) {
            Some(directory) => Ok(directory.read_secret(name)?),
            None => Ok(None),
        }
    }

    /// Removes a secret that is of no use any more, durably when this returns; one that is not there stays so.
    ///
    /// # Errors
    /// It cannot be removed.
    #[doc = include_str!("../../docs/forget_secret.md")]
    pub fn forget_secret(&self, name: &str) -> Result<(), OpenError> {
        let threads = self.inner.threads.lock();
        match threads.as_ref().and_then(|threads| threads.directory.as_ref()) {
            Some(directory) => Ok(directory.remove_secret(name)?),
            None => Ok(()),
        }
    }
}
