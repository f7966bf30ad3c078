//! What a power cut leaves, computed from the log of a [`SimDisk`](super::SimDisk).

use std::collections::BTreeMap;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Files by name: their place in the list of files.
pub(super) type Names = BTreeMap<String, usize>;

#[derive(Clone)]
pub(super) enum Operation {
    Create {
        name: String,
        file: usize,
    },
    Remove {
        name: String,
    },
    Rename {
        from: String,
        to: String,
    },
    SyncDir,
    Write {
        file: usize,
        offset: u64,
        bytes: Vec<u8>,
    },
    Sync {
        file: usize,
    },
    /// A sync that failed: what it was to write may be lost although reads still see it.
    SyncFailed {
        file: usize,
    },
    /// Counted, without effect: a sync of a lying disk.
    Nothing,
}

pub(super) fn overwrite(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// What is durable, and what was done since.
pub(super) struct Image<'a> {
    names: Names,
    names_pending: Vec<&'a Operation>,
    files: Vec<Vec<u8>>,
    writes_pending: Vec<Vec<(u64, &'a [u8])>>,
    last: Option<&'a Operation>,
}

impl<'a> Image<'a> {
    pub(super) fn new(names: &Names, files: &[Vec<u8>]) -> Self {
        Image {
            names: names.clone(),
            names_pending: Vec::new(),
            files: files.to_vec(),
            writes_pending: vec![Vec::new(); files.len()],
            last: None,
        }
    }

    /// Does the operation before `step`, whole; `step` itself may be the one that the cut falls
    /// into.
    pub(super) fn apply(&mut self, step: &'a Operation, random: &mut Random) {
        match self.last.replace(step) {
            Some(Operation::SyncDir) => {
                for change in std::mem::take(&mut self.names_pending) {
                    rename(&mut self.names, change);
                }
            }
            Some(Operation::Sync { file }) => {
                for (offset, bytes) in std::mem::take(&mut self.writes_pending[*file]) {
                    overwrite(&mut self.files[*file], offset as usize, bytes);
                }
            }
            Some(Operation::SyncFailed { file }) => self.lose(*file, random),
            _ => {}
        }
        match step {
            Operation::Create { .. } => {
                self.files.push(Vec::new());
                self.writes_pending.push(Vec::new());
                self.names_pending.push(step);
            }
            Operation::Remove { .. } | Operation::Rename { .. } => self.names_pending.push(step),
            Operation::Write { file, offset, bytes } => {
                self.writes_pending[*file].push((*offset, bytes))
            }
            _ => {}
        }
    }

    /// Decides what of a file's pending writes is on the disk.
    fn lose(&mut self, file: usize, random: &mut Random) {
        let pending = std::mem::take(&mut self.writes_pending[file]);
        let count = pending.len() as u64;
        // None, all, the first few, or each sector for itself.
        let style = random.below(6);
        let few = random.below(count + 1);
        let mut seen = self.files[file].clone();
        let mut chosen: BTreeMap<usize, u64> = BTreeMap::new();
        for (number, (offset, bytes)) in pending.into_iter().enumerate() {
            overwrite(&mut seen, offset as usize, bytes);
            if bytes.is_empty() {
                continue;
            }
            let end = offset as usize + bytes.len();
            for sector in offset as usize / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES {
                let kept = match style {
                    0 => 0,
                    1 => count,
                    2 => few,
                    _ => *chosen.entry(sector).or_insert_with(|| random.below(count + 1)),
                };
                if (number as u64) < kept {
                    let from = sector * SECTOR_BYTES;
                    let to = (from + SECTOR_BYTES).min(seen.len());
                    overwrite(&mut self.files[file], from, &seen[from..to]);
                }
            }
        }
    }

    pub(super) fn cut(mut self, random: &mut Random) -> (Names, Vec<Vec<u8>>) {
        for file in 0..self.files.len() {
            self.lose(file, random);
        }
        let kept = random.below(self.names_pending.len() as u64 + 1) as usize;
        for change in self.names_pending.iter().take(kept) {
            rename(&mut self.names, change);
        }
        (self.names, self.files)
    }
}

fn rename(names: &mut Names, change: &Operation) {
    match change {
        Operation::Create { name, file } => {
            names.insert(name.clone(), *file);
        }
        Operation::Remove { name } => {
            names.remove(name);
        }
        Operation::Rename { from, to } => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        _ => {}
    }
}

/// splitmix64: the same on every machine, for ever.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
