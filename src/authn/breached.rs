//! Passwords that attackers know: a list on disk, searched where it lies.
//!
//! The list is that of Pwned Passwords, ordered by hash: a line for each password, its SHA-1 in
//! hexadecimal, a colon, and how often it was seen. It has some forty gigabytes, so nothing of it
//! is kept in memory: thirty-odd reads tell whether a password is in it.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::Password;

/// A line is shorter than this: 40 digits, a colon, a number, the end of the line.
const LONGEST_LINE: u64 = 64;
const HASH_DIGITS: usize = 40;

/// See the module.
#[derive(Clone, Debug)]
pub struct BreachedPasswords {
    file: Arc<Path>,
}

impl BreachedPasswords {
    /// Those in this file. It is opened anew each time, so that it can be replaced.
    #[must_use]
    pub const fn new(file: Arc<Path>) -> Self {
        Self { file }
    }

    /// Whether this password is in it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or has a line that is not as it should be.
    pub async fn contain(&self, password: &Password) -> io::Result<bool> {
        let (file, hash) = (Arc::clone(&self.file), sha1(password.bytes()));
        let found = tokio::task::spawn_blocking(move || search(&File::open(file)?, &hash));
        found.await.map_err(io::Error::other)?
    }
}

fn sha1(bytes: &[u8]) -> String {
    let digest = openssl::sha::sha1(bytes);
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// Halves what is left of the file until the line is found, or none is left.
fn search(file: &File, hash: &str) -> io::Result<bool> {
    let (mut low, mut high) = (0, file.metadata()?.len());
    while low < high {
        let line = Line::around(file, low, low.midpoint(high), high)?;
        match line.hash.as_str().cmp(hash) {
            Ordering::Equal => return Ok(true),
            Ordering::Less => low = line.end,
            Ordering::Greater => high = line.start,
        }
    }
    Ok(false)
}

/// A line and where it lies, its end included.
struct Line {
    start: u64,
    end: u64,
    hash: String,
}

impl Line {
    /// The line that has this byte, between two beginnings of lines.
    fn around(file: &File, low: u64, byte: u64, high: u64) -> io::Result<Self> {
        let from = byte.saturating_sub(LONGEST_LINE).max(low);
        let to = (byte + LONGEST_LINE).min(high);
        let mut window = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut window, from)?;
        let at = usize::try_from(byte - from).map_err(io::Error::other)?;
        let before = window[..at].iter().rposition(|byte| *byte == b'\n');
        let start = before.map_or(0, |end| end + 1);
        let after = window[at..].iter().position(|byte| *byte == b'\n');
        let end = after.map_or(window.len(), |end| at + end + 1);
        let hash = window.get(start..start + HASH_DIGITS);
        let hash = hash.filter(|hash| hash.iter().all(u8::is_ascii_hexdigit));
        let is_whole = (before.is_some() || from == low) && (after.is_some() || to == high);
        let is_line = window.get(start + HASH_DIGITS) == Some(&b':') && is_whole;
        let hash = hash.filter(|_| is_line).ok_or_else(no_list)?;
        Ok(Self {
            start: from + start as u64,
            end: from + end as u64,
            hash: String::from_utf8_lossy(hash).to_uppercase(),
        })
    }
}

fn no_list() -> io::Error {
    let what = "a line is not a SHA-1 in hexadecimal, a colon and a number";
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn list(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    fn lines(count: u32, end: &str) -> (String, Vec<String>) {
        let mut hashes: Vec<_> = (0..count).map(|n| sha1(&n.to_be_bytes())).collect();
        hashes.sort();
        let lines = hashes.iter().zip(1_u64..);
        let text = lines.map(|(hash, n)| format!("{hash}:{}{end}", n * n * n));
        (text.collect(), hashes)
    }

    #[test]
    fn each_line_is_found_and_no_other() {
        for count in [1, 2, 3, 100] {
            for end in ["\n", "\r\n"] {
                let (text, hashes) = lines(count, end);
                for text in [&*text, text.trim_end()] {
                    let file = list(text);
                    for hash in &hashes {
                        assert!(search(&file, hash).unwrap(), "{hash} of {count}");
                    }
                    for n in count..count + 100 {
                        let other = sha1(&n.to_be_bytes());
                        assert!(!search(&file, &other).unwrap(), "{other} of {count}");
                    }
                }
            }
        }
        assert!(!search(&list(""), &sha1(b"x")).unwrap());
    }

    #[test]
    fn what_is_no_list_is_not_believed() {
        let long = format!("{}:{}\n", sha1(b"x"), "1".repeat(90));
        for text in ["password\n", "0123456789\n".repeat(50).as_str(), &long] {
            assert!(search(&list(text), &sha1(b"y")).is_err(), "{text}");
        }
    }
}
