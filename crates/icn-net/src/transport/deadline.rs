//! Notices dead peers: a socket fails once nothing was read for a while. `ping` keeps a healthy one busy.
//!
//! This is the setting on which healing after a cut depends. `Swarm::close_connection` is no
//! substitute: it first flushes the multiplexer, which blocks on a dead path with a full send buffer,
//! and the connection counts as open until then. An I/O error drops it at once.
use futures::{AsyncRead, AsyncWrite};
use std::{
    future::Future as _,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep};

/// Socket with a read deadline.
pub(crate) struct Deadline<S> {
    io: S,
    limit: Duration,
    timer: Pin<Box<Sleep>>,
}

impl<S> Deadline<S> {
    pub(crate) fn new(io: S, limit: Duration) -> Self {
        Self {
            io,
            limit,
            timer: Box::pin(sleep(limit)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Deadline<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut this.io).poll_read(cx, buf) {
            this.timer.as_mut().reset(Instant::now() + this.limit);
            return Poll::Ready(result);
        }
        this.timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "peer is silent")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Deadline<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A socket that delivers one byte every `every`.
    struct Drip {
        every: Duration,
        timer: Pin<Box<Sleep>>,
    }

    impl AsyncRead for Drip {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            std::task::ready!(self.timer.as_mut().poll(cx));
            let next = Instant::now() + self.every;
            self.timer.as_mut().reset(next);
            buf[0] = 7;
            Poll::Ready(Ok(1))
        }
    }

    impl AsyncWrite for Drip {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A socket that gives a byte now and then, with a time after which silence kills it.
    fn drip(every: Duration, deadline: Duration) -> Deadline<Drip> {
        let timer = Box::pin(sleep(every));
        Deadline::new(Drip { every, timer }, deadline)
    }

    #[tokio::test]
    async fn a_busy_socket_lives() {
        let mut socket = drip(Duration::from_millis(100), Duration::from_secs(1));
        let mut byte = [0];
        // In all longer than the deadline.
        for _ in 0..15 {
            socket.read_exact(&mut byte).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_silent_socket_dies_even_while_it_is_written() {
        let mut socket = drip(Duration::from_secs(3_600), Duration::from_millis(100));
        let mut byte = [0];
        socket.write_all(&[1; 100]).await.unwrap();
        let error = socket.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
