//! What a former process left in the spool.
//!
//! Events are sent again, whether Postgres has them or not: it knows them by their id.
//! Intents without an event are requests that were cut off; they are sent as events.
//! (Had the event been sent and its file deleted, then the intent is found to be a
//! duplicate of it: same id, same time.)

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::SpoolError;
use super::directory::Directory;
use super::encode::{Kind, Record};
use super::segment::{HEADER, Segment, header};
use super::stats::Counters;

struct Found {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Up to here it holds whole records.
    whole: usize,
}

/// Segments with something to send; those without are deleted.
pub(super) fn recover(
    directory: &Directory,
    files: Vec<PathBuf>,
    counters: &Counters,
) -> Result<Vec<Arc<Segment>>, SpoolError> {
    let found: Vec<Found> = files
        .into_iter()
        .map(|path| read(path, counters))
        .collect::<Result<_, _>>()?;
    let events: HashSet<Vec<u8>> = ids(&found, Kind::Event).collect();
    let mut interrupted: HashSet<Vec<u8>> = ids(&found, Kind::Intent).collect();
    interrupted.retain(|id| !events.contains(id));
    report(&events, &interrupted);
    let mut segments = Vec::new();
    for each in found {
        let segment = Arc::new(each.into_segment(&interrupted, counters)?);
        if segment.committed() > HEADER as u64 {
            segments.push(segment);
        } else {
            directory.delete(&segment);
        }
    }
    Ok(segments)
}

fn report(events: &HashSet<Vec<u8>>, interrupted: &HashSet<Vec<u8>>) {
    if !events.is_empty() || !interrupted.is_empty() {
        let (events, interrupted) = (events.len(), interrupted.len());
        tracing::info!(
            events,
            interrupted,
            "recovered audit events of a former process"
        );
    }
}

fn ids(found: &[Found], kind: Kind) -> impl Iterator<Item = Vec<u8>> {
    let records = found.iter().flat_map(Found::records);
    records
        .filter(move |record| record.kind == kind)
        .map(|record| record.id().to_vec())
}

fn read(path: PathBuf, counters: &Counters) -> Result<Found, SpoolError> {
    let bytes = fs::read(&path).map_err(|source| SpoolError::io(&path, source))?;
    // Killed before the header was written: all zeros, or not even that.
    let blank = bytes.iter().all(|byte| *byte == 0);
    if !blank && !bytes.starts_with(header().as_bytes()) {
        return Err(SpoolError::OtherVersion(path));
    }
    let mut found = Found {
        path,
        bytes,
        whole: 0,
    };
    if !blank {
        found.whole = HEADER + found.measure();
        found.check_tail(counters);
    }
    Ok(found)
}

impl Found {
    fn measure(&self) -> usize {
        Records(&self.bytes[HEADER..]).map(|it| it.len()).sum()
    }

    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        Records(self.bytes.get(HEADER..self.whole).unwrap_or_default())
    }

    fn check_tail(&self, counters: &Counters) {
        let tail = &self.bytes[self.whole..];
        if tail.iter().any(|byte| *byte != 0) {
            counters.torn.fetch_add(1, Ordering::Relaxed);
            let (file, at) = (self.path.display(), self.whole);
            tracing::warn!(%file, at, "the audit spool ends in half a record, which is dropped");
        }
    }

    fn into_segment(
        self,
        interrupted: &HashSet<Vec<u8>>,
        counters: &Counters,
    ) -> Result<Segment, SpoolError> {
        let mine: HashSet<Vec<u8>> = self
            .records()
            .filter(|record| record.kind == Kind::Intent && interrupted.contains(record.id()))
            .map(|record| record.id().to_vec())
            .collect();
        let events = self.records().filter(|it| it.kind == Kind::Event).count() + mine.len();
        let bytes = self.whole.saturating_sub(HEADER);
        counters
            .recovered_events
            .fetch_add(events as u64, Ordering::Relaxed);
        counters
            .recovered_bytes
            .fetch_add(bytes as u64, Ordering::Relaxed);
        let file = open(&self.path)?;
        Ok(Segment::recovered(self.path, file, self.whole as u64, mine))
    }
}

fn open(path: &Path) -> Result<File, SpoolError> {
    File::open(path).map_err(|source| SpoolError::io(path, source))
}

/// Whole records one after the other.
pub(super) struct Records<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let record = Record::read(self.0)?;
        self.0 = &self.0[record.len()..];
        Some(record)
    }
}
