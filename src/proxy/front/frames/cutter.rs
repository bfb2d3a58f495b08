//! Cuts a stream into HTTP/2 frames.

/// Length of a frame's header (RFC 9113 §4.1).
const HEADER: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

/// `REFUSED_STREAM` (RFC 9113 §7), as the payload of a reset has it.
pub(super) const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;

/// What the header of a frame tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// Of its payload.
    pub(super) length: usize,
}

impl Frame {
    pub(super) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Reads the headers of frames as they pass, in any pieces.
#[derive(Debug)]
pub(super) struct Cutter {
    /// Bytes of a payload still to come.
    skip: usize,
    header: [u8; HEADER],
    filled: usize,
}

impl Cutter {
    /// The frames behind so many bytes.
    pub(super) const fn behind(skip: usize) -> Self {
        Self {
            skip,
            header: [0; HEADER],
            filled: 0,
        }
    }

    /// The next frame that begins in these bytes, which are moved on to its payload.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        let wanted = (HEADER - self.filled).min(bytes.len() - skipped);
        let (header, rest) = bytes[skipped..].split_at(wanted);
        *bytes = rest;
        self.header[self.filled..self.filled + wanted].copy_from_slice(header);
        self.filled += wanted;
        if self.filled < HEADER {
            return None;
        }
        self.filled = 0;
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.skip = length;
        Some(Frame {
            kind,
            flags,
            // The highest bit means nothing.
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
            length,
        })
    }

    /// Whether a header has begun and not ended.
    pub(super) const fn is_in_header(&self) -> bool {
        self.filled > 0
    }

    /// Whether a payload has not ended.
    pub(super) const fn is_in_payload(&self) -> bool {
        self.skip > 0
    }
}
