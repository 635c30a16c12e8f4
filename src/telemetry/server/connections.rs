//! Connections that are bounded in number and in time.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// Connections at a time.
pub const CONNECTIONS: usize = 32;
/// How long a connection may last, whatever happens on it.
pub const CONNECTION_SECONDS: u64 = 5;

/// A listener whose connections end by themselves, and whose oldest ends when there are too many.
pub(super) struct Bounded {
    listener: TcpListener,
    /// Ends a connection; the oldest is in front.
    open: VecDeque<oneshot::Sender<()>>,
}

impl Bounded {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, open: VecDeque::new() }
    }

    fn admit(&mut self, stream: TcpStream) -> Connection {
        self.open.retain(|it| !it.is_closed());
        while self.open.len() >= CONNECTIONS {
            if let Some(oldest) = self.open.pop_front() {
                // It may have ended just now, which is as good.
                let _ = oldest.send(());
            }
        }
        let (end, ended) = oneshot::channel();
        self.open.push_back(end);
        let lifetime = Box::pin(sleep(Duration::from_secs(CONNECTION_SECONDS)));
        Connection { stream, ended: Some(ended), gives_way: false, lifetime }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (self.admit(stream), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once its time is up or it has to give way.
pub(super) struct Connection {
    stream: TcpStream,
    ended: Option<oneshot::Receiver<()>>,
    gives_way: bool,
    lifetime: Pin<Box<Sleep>>,
}

impl Connection {
    /// Registers for the end as well, so that an idle connection is woken by it.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.lifetime.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the connection lasted too long"));
        }
        if let Some(Poll::Ready(end)) = self.ended.as_mut().map(|it| Pin::new(it).poll(context)) {
            // A sender that was dropped belonged to a listener that is gone: nobody needs the room.
            self.gives_way = end.is_ok();
            self.ended = None;
        }
        if self.gives_way {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "too many connections"));
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
