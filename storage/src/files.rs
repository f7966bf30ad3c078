//! Making names durable: a file that is synced is still lost if its folder's entry is not.

use std::{
    fs::{DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

/// Makes the name of a file or folder durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Makes a folder and those above it, durably; one that is there is left as it is. Orders, addresses
/// and keys are nobody else's business, so a new one is readable by its owner alone.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => match path.parent() {
            Some(parent)
                if error.kind() == io::ErrorKind::NotFound && !parent.as_os_str().is_empty() =>
            {
                make_folder(parent)?;
                make_folder(path)
            }
            _ => Err(error),
        },
    }
}
