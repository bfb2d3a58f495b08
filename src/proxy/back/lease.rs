//! A connection to a backend, lent for one request and its answer.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use pingora::protocols::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::asked::Asked;
use super::pool::{Place, Pool};
use crate::policy::{AnswerBody, AnswerReader, BodySpan};

/// Read at once while a head is awaited.
const CHUNK: usize = 4 * 1024;

/// What Pingora takes for a connection to the backend.
pub(super) struct Lease {
    /// Until it is given back.
    stream: Option<Stream>,
    pool: Arc<Pool>,
    place: Place,
    idle: Duration,
    asked: Asked,
    /// Read, but not given out.
    ahead: BytesMut,
    /// So many bytes of it are a head that has one meaning.
    head: usize,
    rest: Rest,
    /// Whether Pingora asked for more behind the end: it does so of connections that it
    /// would keep, and closes the others.
    offered: bool,
    /// Whether it must not be kept.
    spoilt: bool,
}

/// What is awaited from the backend.
enum Rest {
    Head(AnswerReader),
    Body(BodySpan),
    /// Whatever comes.
    ToTheEnd,
}

impl Rest {
    fn behind(head: AnswerBody) -> Self {
        match head {
            AnswerBody::Interim => Self::Head(AnswerReader::default()),
            AnswerBody::Framed(framing) => Self::Body(framing.into()),
            AnswerBody::ToTheEnd => Self::ToTheEnd,
        }
    }

    const fn has_ended(&self) -> bool {
        matches!(self, Self::Body(body) if body.has_ended())
    }

    /// How many of these bytes belong to the answer.
    fn follow(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Head(_) => Ok(0),
            Self::Body(body) => body.follow(bytes).map_err(garbage),
            Self::ToTheEnd => Ok(bytes.len()),
        }
    }
}

impl Lease {
    pub(super) fn new(stream: Stream, pool: Arc<Pool>, place: Place, idle: Duration) -> Self {
        Self {
            stream: Some(stream),
            pool,
            place,
            idle,
            asked: Asked::nothing(),
            ahead: BytesMut::new(),
            head: 0,
            rest: Rest::Head(AnswerReader::default()),
            offered: false,
            spoilt: false,
        }
    }

    /// Whether the exchange is over, and neither side owes or has sent anything more.
    fn is_clean(&self) -> bool {
        self.offered
            && !self.spoilt
            && self.rest.has_ended()
            && self.ahead.is_empty()
            && self.asked.is_complete()
    }

    /// Waits for a whole head; there is none if the connection ends. Nothing of it is given
    /// out before, so one time-out holds for all of it.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Rest::Head(reader) = &mut self.rest {
            let read = reader.read(&self.ahead, self.asked.is_head());
            if let Some(head) = read.map_err(garbage)? {
                self.rest = Rest::behind(head.body);
                if let Rest::Body(body) = &self.rest {
                    body.foresee(&self.ahead[head.end..]).map_err(garbage)?;
                }
                self.head = head.end;
                break;
            }
            let mut chunk = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(lent(&mut self.stream)?.poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                break;
            }
            self.ahead.extend_from_slice(chunk.filled());
        }
        Poll::Ready(Ok(()))
    }

    /// Gives out what was read ahead.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let offered = &self.ahead[..self.ahead.len().min(buf.remaining())];
        let taken = if self.head > 0 {
            let taken = offered.len().min(self.head);
            self.head -= taken;
            taken
        } else {
            self.rest.follow(offered)?
        };
        buf.put_slice(&self.ahead[..taken]);
        self.ahead.advance(taken);
        Ok(())
    }

    fn poll_through(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(lent(&mut self.stream)?.poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        let taken = self.rest.follow(read)?;
        // What came behind the answer is nobody's.
        self.spoilt |= taken < read.len();
        buf.set_filled(before + taken);
        Poll::Ready(Ok(()))
    }
}

fn lent(stream: &mut Option<Stream>) -> io::Result<Pin<&mut Stream>> {
    let stream = stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    Ok(Pin::new(stream))
}

fn garbage(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

impl AsyncRead for Lease {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let lease = &mut *self;
        if lease.head == 0 && matches!(lease.rest, Rest::Head(_)) {
            ready!(lease.poll_head(cx))?;
            return Poll::Ready(lease.give(buf));
        }
        if lease.head == 0 && lease.rest.has_ended() {
            lease.offered = true;
            return Poll::Ready(Ok(()));
        }
        if lease.ahead.is_empty() {
            lease.poll_through(cx, buf)
        } else {
            Poll::Ready(lease.give(buf))
        }
    }
}

impl AsyncWrite for Lease {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(lent(&mut self.stream)?.poll_write(cx, buf))?;
        self.asked.follow(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lent(&mut self.stream)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.spoilt = true;
        lent(&mut self.stream)?.poll_shutdown(cx)
    }
}

impl VirtualSocket for Lease {
    /// What is below has been set up.
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let clean = self.is_clean();
        if let Some(stream) = self.stream.take().filter(|_| clean) {
            self.pool.keep(self.place.clone(), stream, self.idle);
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
