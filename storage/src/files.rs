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
    match make_one(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
                return Err(error);
            };
            make_folder(parent)?;
            // Once: a folder that was removed and is still somebody's working directory is there, and
            // takes nothing.
            make_one(path)
        }
        made => made,
    }
}

fn make_one(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_folder_that_was_removed_takes_no_other_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let open = File::open(folder.path()).unwrap();
        // Like a working directory that somebody removed: there to be looked at, and nothing can be made in it.
        let gone = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string());
        folder.close().unwrap();
        assert!(gone.is_dir());
        let error = make_folder(&gone.join("shop/data")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn folders_above_are_made_too_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop/data");
        make_folder(&path).unwrap();
        std::fs::write(path.join("thing"), "kept").unwrap();
        make_folder(&path).unwrap();
        assert_eq!(std::fs::read(path.join("thing")).unwrap(), b"kept");
        let file = make_folder(&path.join("thing")).unwrap_err();
        assert_eq!(file.kind(), io::ErrorKind::AlreadyExists);
    }
}
