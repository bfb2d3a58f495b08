//! What a former process left in the spool.
//!
//! Events are sent again, whether Postgres has them or not: it knows them by their id.
//! Intents without an event are requests that were cut off; they are sent as events.
//! (Had the event been sent and its file deleted, then the intent is found to be a
//! duplicate of it: same id, same time.)

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::SpoolError;
use super::directory::Directory;
use super::encode::{Kind, Record};
use super::segment::{HEADER, Segment, header};
use super::stats::Counters;

/// What is in a file.
struct Found {
    path: PathBuf,
    /// Up to here it holds whole records.
    whole: u64,
    events: u64,
    /// Ids of its intents.
    intents: HashSet<Vec<u8>>,
}

/// Segments with something to send; those without are deleted. `place` tells where a
/// file is to be from here on, once it is known that all of them can be read.
pub(super) fn recover(
    directory: &Directory,
    files: Vec<PathBuf>,
    counters: &Counters,
    place: impl Fn(PathBuf) -> io::Result<PathBuf>,
) -> Result<Vec<Arc<Segment>>, SpoolError> {
    let mut events = HashSet::new();
    let mut found: Vec<Found> = files
        .into_iter()
        .map(|path| read(path, &mut events, counters))
        .collect::<Result<_, _>>()?;
    for each in &mut found {
        each.intents.retain(|id| !events.contains(id));
        let path = std::mem::take(&mut each.path);
        each.path = place(path).map_err(|source| SpoolError::io(directory.path(), source))?;
    }
    report(&found);
    let mut segments = Vec::new();
    for each in found {
        let segment = Arc::new(each.into_segment(counters)?);
        if segment.committed() > HEADER as u64 {
            segments.push(segment);
        } else {
            directory.delete(&segment);
        }
    }
    Ok(segments)
}

fn report(found: &[Found]) {
    let events: u64 = found.iter().map(|it| it.events).sum();
    let interrupted: usize = found.iter().map(|it| it.intents.len()).sum();
    if events > 0 || interrupted > 0 {
        tracing::info!(
            events,
            interrupted,
            "recovered audit events of a former process"
        );
    }
}

fn read(
    path: PathBuf,
    all_events: &mut HashSet<Vec<u8>>,
    counters: &Counters,
) -> Result<Found, SpoolError> {
    let bytes = fs::read(&path).map_err(|source| SpoolError::io(&path, source))?;
    let mut found = Found {
        path,
        whole: 0,
        events: 0,
        intents: HashSet::new(),
    };
    // Killed before the header was written: all zeros, or not even that.
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(found);
    }
    if !bytes.starts_with(header().as_bytes()) {
        return Err(SpoolError::OtherVersion(found.path));
    }
    let mut whole = HEADER;
    for record in Records(&bytes[HEADER..]) {
        whole += record.len();
        let id = record.id().to_vec();
        if record.kind == Kind::Event {
            found.events += 1;
            all_events.insert(id);
        } else {
            found.intents.insert(id);
        }
    }
    found.whole = whole as u64;
    if bytes[whole..].iter().any(|byte| *byte != 0) {
        counters.torn.fetch_add(1, Ordering::Relaxed);
        let (file, at) = (found.path.display(), whole);
        tracing::warn!(%file, at, "the audit spool ends in half a record, which is dropped");
    }
    Ok(found)
}

impl Found {
    fn into_segment(self, counters: &Counters) -> Result<Segment, SpoolError> {
        let events = self.events + self.intents.len() as u64;
        let bytes = self.whole.saturating_sub(HEADER as u64);
        counters
            .recovered_events
            .fetch_add(events, Ordering::Relaxed);
        counters.recovered_bytes.fetch_add(bytes, Ordering::Relaxed);
        let file = open(&self.path)?;
        Ok(Segment::recovered(
            self.path,
            file,
            self.whole,
            self.intents,
        ))
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
