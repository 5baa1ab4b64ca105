//! The units of one consume queue as its files have them, read in order.

use std::path::{Path, PathBuf};

use rocketmq_env::{Fs, OpenMode};
use rocketmq_log::{ListedFiles, LogError};

use crate::StoreError;
use crate::unit::{UNIT_BYTES, Unit};

const CHUNK_UNITS: usize = 128;

/// The files of a queue, and how far they were looked at.
#[derive(Debug, Default)]
pub(super) struct QueueUnits {
    pub(super) directory: PathBuf,
    segment_bytes: u64,
    /// (byte position in the queue, path, length), in order.
    files: Vec<(u64, PathBuf, u64)>,
    /// The unit to look at next.
    pub(super) next: i64,
    /// Where the record before that lies in the log.
    pub(super) physical_offset: i64,
    /// Place of the record of its first unit, once it was asked for; 0 where no such record is.
    pub(super) begins_at: Option<i64>,
    chunk: Vec<u8>,
    chunk_first: i64,
    /// The same as the next start makes it, once it was asked for.
    recovered: Option<Box<Self>>,
}

impl QueueUnits {
    /// A queue without files.
    pub(super) fn missing(directory: PathBuf, segment_bytes: u64) -> Self {
        Self { directory, segment_bytes, ..Self::default() }
    }

    /// Lists the files of a directory, which may be missing, and tells which of them are no segments. What has the wrong
    /// length only is looked at as far as it goes.
    pub(super) fn open(
        fs: &dyn Fs,
        directory: PathBuf,
        segment_bytes: u64,
    ) -> Result<(Self, Vec<LogError>), StoreError> {
        let ListedFiles { mut files, faults } = ListedFiles::of(fs, &directory, segment_bytes)?;
        files.iter_mut().for_each(|(.., len)| *len = segment_bytes.min(*len));
        Ok((Self { files, ..Self::missing(directory, segment_bytes) }, faults))
    }

    /// What the next start makes of it, which `fs` shows.
    pub(super) fn recovered(&mut self, fs: &dyn Fs) -> Result<&mut Self, StoreError> {
        let recovered = match self.recovered.take() {
            Some(recovered) => recovered,
            None => Box::new(Self::open(fs, self.directory.clone(), self.segment_bytes)?.0),
        };
        Ok(self.recovered.insert(recovered))
    }

    /// Number of the first unit that there may be.
    pub(super) fn first(&self) -> i64 {
        self.files.first().map_or(0, |(base, ..)| (base / UNIT_BYTES as u64) as i64)
    }

    /// File and byte of a unit, whether it is there or not; the directory where no file is.
    pub(super) fn place(&self, index: i64) -> (PathBuf, u64) {
        let position = u64::try_from(index).unwrap_or(0) * UNIT_BYTES as u64;
        if self.files.is_empty() {
            return (self.directory.clone(), position);
        }
        let in_file = position % self.segment_bytes;
        (self.directory.join(format!("{:020}", position - in_file)), in_file)
    }

    /// The unit from the next one on that points to a place of the log.
    pub(super) fn find(&mut self, fs: &dyn Fs, physical_offset: i64) -> Result<Option<i64>, StoreError> {
        let mut index = self.next.max(self.first());
        while let Some(unit) = self.at(fs, index)?.filter(|unit| unit.physical_offset <= physical_offset) {
            if unit.physical_offset == physical_offset && unit != Unit::BLANK {
                return Ok(Some(index));
            }
            index += 1;
        }
        Ok(None)
    }

    /// The unit; `None` where the files have zeros, or nothing.
    pub(super) fn at(&mut self, fs: &dyn Fs, index: i64) -> Result<Option<Unit>, StoreError> {
        let in_chunk = |index: i64, first: i64| usize::try_from(index - first).ok().map(|units| units * UNIT_BYTES);
        let unit = |chunk: &[u8], start: usize| chunk.get(start..)?.first_chunk().map(Unit::decode);
        if let Some(found) = in_chunk(index, self.chunk_first).and_then(|start| unit(&self.chunk, start)) {
            return Ok(found.is_valid().then_some(found));
        }
        self.chunk.clear();
        self.chunk_first = index;
        let position = u64::try_from(index).unwrap_or(0) * UNIT_BYTES as u64;
        let Some((base, path, len)) = self.files.iter().rev().find(|(base, ..)| *base <= position) else {
            return Ok(None);
        };
        let left = len.saturating_sub(position - base);
        self.chunk.resize(usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_UNITS * UNIT_BYTES), 0);
        read(fs, path, position - base, &mut self.chunk)?;
        Ok(unit(&self.chunk, 0).filter(|unit| unit.is_valid()))
    }

    /// Position of the first byte that is set from unit `index` on: a queue ends with zeros.
    pub(super) fn first_byte_set(&self, fs: &dyn Fs, index: i64) -> Result<Option<(PathBuf, u64)>, StoreError> {
        let from = u64::try_from(index).unwrap_or(0) * UNIT_BYTES as u64;
        let mut buffer = vec![0; 64 * 1024];
        for (base, path, len) in self.files.iter().filter(|(base, _, len)| base + len > from) {
            let mut at = from.saturating_sub(*base);
            while at < *len {
                let chunk = usize::try_from(len - at).unwrap_or(usize::MAX).min(buffer.len());
                let bytes = buffer.get_mut(..chunk).unwrap_or_default();
                read(fs, path, at, bytes)?;
                if let Some(set) = bytes.iter().position(|byte| *byte != 0) {
                    return Ok(Some((path.clone(), at + set as u64)));
                }
                at += chunk as u64;
            }
        }
        Ok(None)
    }
}

fn read(fs: &dyn Fs, path: &Path, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
    let outcome = fs.open(path, OpenMode::Read).and_then(|file| file.read_exact_at(buffer, offset));
    outcome.map_err(|source| StoreError::Io { op: "read", path: path.to_owned(), source })
}
