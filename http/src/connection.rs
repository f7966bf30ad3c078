//! A connection, and whose turn it is on it.
//!
//! The HTTP library has a clock for the first head of a connection, and none for a later one that trickles, for a body that nobody
//! reads to its end, or for an answer that the client does not take. Here is one clock for all of them, and it stands only while
//! the application has a request: before and after it is the client's turn, and every turn of his ends.
//!
//! The library answers itself what it cannot parse, with a status and nothing else. That answer goes out through here, too, and
//! becomes a problem like every other.

use std::{
    cell::Cell,
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use crate::{edge, state::Shared};

/// What is read from and written to, with the clock.
pub(crate) struct Connection<T> {
    io: T,
    state: Shared,
    turn: Rc<Turn>,
    /// Rings at the end of the turn or before it, and is then set again.
    clock: Pin<Box<Sleep>>,
    /// Since when the client takes nothing of what is written.
    stuck: Option<Instant>,
}

/// Whose turn it is: the connection and the requests that come on it share it.
pub(crate) struct Turn {
    /// When the client's ends; nothing while it is the application's.
    ends: Cell<Option<Instant>>,
    /// Whether the client has begun to say something.
    begun: Cell<bool>,
    /// Whether the application has answered and the answer is not written yet.
    owed: Cell<bool>,
    /// How long a client may be silent after an answer.
    silence: Duration,
}

/// The application's turn: the client's next one begins when this is dropped, as the answer is there.
pub(crate) struct Answering(Rc<Turn>);

impl Turn {
    /// A head has come: the application has a request.
    pub(crate) fn answer(self: &Rc<Self>) -> Answering {
        self.ends.set(None);
        Answering(self.clone())
    }

    /// Bytes have come. The first ones of a turn begin a head, as far as anybody can tell.
    fn heard(&self, head_timeout: Duration) {
        if self.ends.get().is_some() && !self.begun.replace(true) {
            self.ends.set(Some(Instant::now() + head_timeout));
        }
    }

    /// Whether nothing is on the wire or on its way there that the application said.
    fn is_clients(&self) -> bool {
        self.ends.get().is_some() && !self.owed.get()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let Self(turn) = self;
        turn.ends.set(Some(Instant::now() + turn.silence));
        turn.begun.set(false);
        turn.owed.set(true);
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// A connection that has just been made.
    pub(crate) fn new(io: T, state: Shared) -> Self {
        let turn = Turn {
            ends: Cell::new(Some(Instant::now() + state.head_timeout)),
            begun: Cell::new(false),
            owed: Cell::new(false),
            silence: state.keep_alive,
        };
        let clock = Box::pin(sleep(state.head_timeout));
        Self { io, state, turn: Rc::new(turn), clock, stuck: None }
    }

    /// What its requests know of it.
    pub(crate) fn turn(&self) -> Rc<Turn> {
        self.turn.clone()
    }

    /// When it has lasted too long. While the application has a request nobody can say, so that the clock looks again later.
    fn ends(&self) -> Instant {
        let turn = self.turn.ends.get();
        let turn = turn.unwrap_or_else(|| Instant::now() + self.state.head_timeout);
        self.stuck.map_or(turn, |since| turn.min(since + self.state.keep_alive))
    }

    /// Ready when it has lasted too long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let ends = self.ends();
            if ends < self.clock.deadline() {
                self.clock.as_mut().reset(ends);
            }
            ready!(self.clock.as_mut().poll(cx));
            if Instant::now() >= ends {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            self.clock.as_mut().reset(ends);
        }
    }

    /// Says what is wrong with what came. The connection ends behind it, so that what does not fit at once is lost.
    fn refuse(&mut self, status: StatusCode, cx: &mut Context<'_>) {
        let answer = edge::refusal(status, self.state.engine.now());
        let _ = Pin::new(&mut self.io).poll_write(cx, &answer);
        let _ = Pin::new(&mut self.io).poll_flush(cx);
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.io).poll_read(cx, buffer) {
            if buffer.filled().len() > before {
                this.turn.heard(this.state.head_timeout);
            }
            return Poll::Ready(read);
        }
        let late = ready!(this.poll_end(cx));
        if this.turn.is_clients() && this.turn.begun.get() && this.stuck.is_none() {
            this.refuse(StatusCode::REQUEST_TIMEOUT, cx);
        }
        Poll::Ready(Err(late))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.turn.is_clients()
            && let Some(status) = refusal(bytes)
        {
            this.refuse(status, cx);
            return Poll::Ready(Ok(bytes.len()));
        }
        if let Poll::Ready(written) = Pin::new(&mut this.io).poll_write(cx, bytes) {
            this.stuck = None;
            return Poll::Ready(written);
        }
        this.stuck.get_or_insert_with(Instant::now);
        this.poll_end(cx).map(Err)
    }

    /// Comes when all has been written. Behind an answer the clock is set, because nothing may be read for a while.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn.owed.replace(false)
            && let Poll::Ready(late) = this.poll_end(cx)
        {
            return Poll::Ready(Err(late));
        }
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// The status of an answer that the library gives itself to what it cannot parse.
fn refusal(answer: &[u8]) -> Option<StatusCode> {
    let status = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    StatusCode::from_bytes(status).ok().filter(StatusCode::is_client_error)
}
