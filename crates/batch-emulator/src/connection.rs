//! Connections that can be dropped in the middle of a request.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The connection that a request came by; handlers get it as
/// `ConnectInfo(connection): ConnectInfo<Connection>`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(Arc<AtomicBool>);

impl Connection {
    /// Drops the connection: whatever the handler returns after this, the client sees the
    /// connection reset and no reply.
    pub(crate) fn cut(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was cut.
    pub(crate) fn is_cut(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn check(&self) -> io::Result<()> {
        if self.is_cut() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

/// A listener whose connections can be cut: each by its [`Connection`], all by a token.
#[derive(Debug)]
pub(crate) struct Connections {
    listener: TcpListener,
    cut_all: CancellationToken,
}

impl Connections {
    pub(crate) fn new(listener: TcpListener, cut_all: CancellationToken) -> Connections {
        Connections { listener, cut_all }
    }
}

impl Listener for Connections {
    type Io = Cuttable;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Cuttable, Self::Addr) {
        let (stream, addr) = Listener::accept(&mut self.listener).await;
        // Small replies follow each other closely; waiting to fill a segment would add
        // 40 ms to each. Where the option is refused, only the speed is lost.
        let _ = stream.set_nodelay(true);
        let stream = Cuttable {
            stream,
            connection: Connection::default(),
            all: Box::pin(self.cut_all.clone().cancelled_owned()),
        };
        (stream, addr)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Connections>> for Connection {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Connection {
        stream.io().connection.clone()
    }
}

/// A TCP stream that fails once it is cut.
#[derive(Debug)]
pub(crate) struct Cuttable {
    stream: TcpStream,
    connection: Connection,
    /// Ends when all connections are to be cut, and wakes the stream then.
    all: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Cuttable {
    fn check_all(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.all.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_all(context)?;
        // A single cut lets reading go on: the request is logged before the connection ends.
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.connection.check()?;
        self.check_all(context)?;
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.check()?;
        self.check_all(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    /// Where it is not, the server copies all that it sends once more.
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.check()?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
