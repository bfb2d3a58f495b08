//! The gate: cuts a connection's stream to the request that is being served.
//!
//! Pingora reads through it and finds one request, then nothing, until the next begins.
//! So a refused body, a chunk that two parsers read differently, or bytes sent ahead of an
//! upgrade can never become a request.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::connection::Connection;
use super::span::Span;

/// Read at once where there is no buffer to read into yet.
const CHUNK: usize = 4 * 1024;

/// Most that is read while a request is served: more is left to the client's own buffers.
const MAX_AHEAD: usize = 16 * 1024;

/// A connection's stream.
pub(super) struct Gate {
    stream: Stream,
    /// Read, but not given out: the next head, or what follows it.
    ahead: BytesMut,
    span: Span,
    connection: Arc<Connection>,
}

impl Gate {
    pub(super) fn new(stream: Stream, connection: Arc<Connection>) -> Self {
        Self {
            stream,
            ahead: BytesMut::new(),
            span: Span::CLOSED,
            connection,
        }
    }

    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// What has come and was not given out.
    pub(super) fn ahead(&self) -> &[u8] {
        &self.ahead
    }

    /// Takes the first bytes of what has come.
    pub(super) fn take(&mut self, start: usize, end: usize) -> BytesMut {
        let mut taken = self.ahead.split_to(end);
        taken.advance(start);
        taken
    }

    /// Reads more; false at the end of the stream.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        self.ahead.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.ahead).await? > 0)
    }

    /// Lets this much of the stream through.
    ///
    /// # Errors
    ///
    /// If what has come of it already is malformed: then nothing of it was given out.
    pub(super) fn open(&mut self, span: impl Into<Span>) -> io::Result<()> {
        self.span = span.into();
        self.span.foresee(&self.ahead, &self.connection)
    }

    /// Whether a request has ended, so that another may begin.
    pub(super) fn is_between_requests(&self) -> bool {
        self.span.has_ended() && !self.connection.is_tunnel()
    }

    /// Everything that came, from here on as it is.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Gives out what was read ahead.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let offered = &self.ahead[..self.ahead.len().min(buf.remaining())];
        let taken = if self.connection.is_tunnel() {
            offered.len()
        } else {
            self.span.follow(offered, &self.connection)?
        };
        buf.put_slice(&offered[..taken]);
        self.ahead.advance(taken);
        Ok(())
    }

    /// Nothing may be read; but a client that goes away should be noticed.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // In a loop: only the stream's own `Pending` wakes whoever waits here.
        while self.ahead.len() < MAX_AHEAD {
            let mut chunk = [0; CHUNK];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.ahead.extend_from_slice(read.filled());
        }
        // What came stays until its turn; whoever waits here waits for something else, too.
        Poll::Pending
    }

    fn poll_through(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        self.span.poll_deadline(cx, &self.connection)?;
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() == before {
            // More is asked for when all else was understood, and there is none (yet).
            self.span.settle(&self.connection);
        }
        ready!(polled)?;
        if self.connection.is_tunnel() {
            return Poll::Ready(Ok(()));
        }
        let read = &buf.filled()[before..];
        let taken = self.span.follow(read, &self.connection)?;
        self.ahead.extend_from_slice(&read[taken..]);
        buf.set_filled(before + taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let gate = &mut *self;
        if gate.span.has_ended() && !gate.connection.is_tunnel() {
            return gate.poll_closed(cx);
        }
        if gate.ahead.is_empty() {
            gate.poll_through(cx, buf)
        } else {
            Poll::Ready(gate.give(buf))
        }
    }
}

impl AsyncWrite for Gate {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let gate = &mut *self;
        let written = ready!(Pin::new(&mut gate.stream).poll_write(cx, buf))?;
        gate.span.follow_sent(&buf[..written], &gate.connection);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let gate = &mut *self;
        let written = ready!(Pin::new(&mut gate.stream).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            gate.span.follow_sent(&buf[..part], &gate.connection);
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Gate {
    async fn shutdown(&mut self) {
        // Pingora's own way would warn of every client that is gone already.
        if let Err(error) = AsyncWriteExt::shutdown(&mut self.stream).await {
            tracing::debug!(%error, "the connection was closed already");
        }
    }
}

impl UniqueID for Gate {
    fn id(&self) -> i32 {
        self.stream.id()
    }
}

impl Ssl for Gate {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.stream.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl GetSocketDigest for Gate {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl GetTimingDigest for Gate {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl GetProxyDigest for Gate {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl Peek for Gate {}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
