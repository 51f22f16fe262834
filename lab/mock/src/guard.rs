//! The door of a served endpoint. It lets in so many connections, each of which says what it wants
//! within a moment, in one way, to a name of this machine. A web page that was given the machine's
//! address under another name (DNS rebinding) is answered nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use lab::clock::Clock;

/// More than any client opens; who drips uses up its own time and nobody else's.
const CONNECTIONS_MAX: usize = 128;
const HEAD_LIMIT: Duration = Duration::from_secs(5);
const BODY_LIMIT: Duration = Duration::from_secs(5);
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// EC2 takes no larger request.
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// The names of this machine that a client may ask for.
const NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Refuses what is not for this machine, before anything else is looked at, and whoever does not say
/// in time what he asks for. One request a connection: the head of each is looked at.
pub(super) async fn refuse_strangers(
    port: u16,
    clock: Clock,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match stranger(port, request.headers(), request.uri()) {
        Some(refusal) => refusal.into_response(),
        None => match in_time(clock, request).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => refusal.into_response(),
        },
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

type GuardRefusal = (StatusCode, &'static str);

fn stranger(port: u16, headers: &HeaderMap, uri: &Uri) -> Option<GuardRefusal> {
    let mut hosts = headers.get_all(header::HOST).iter().map(HeaderValue::to_str);
    let (Some(Ok(host)), None) = (hosts.next(), hosts.next()) else {
        return Some((StatusCode::BAD_REQUEST, "A request names one host.\n"));
    };
    let in_line = uri.authority().is_none_or(|it| is_ours(it.as_str(), port));
    if !is_ours(host, port) || !in_line {
        return Some((StatusCode::MISDIRECTED_REQUEST, "This host is not served here.\n"));
    }
    // No page of a browser is a client of this.
    let by_a_page = headers.contains_key(header::ORIGIN);
    by_a_page.then_some((StatusCode::FORBIDDEN, "No web page is served here.\n"))
}

/// The request with the whole of its body.
async fn in_time(clock: Clock, request: Request) -> Result<Request, GuardRefusal> {
    const TOO_LARGE: GuardRefusal =
        (StatusCode::PAYLOAD_TOO_LARGE, "A body has at most 1 MiB, and is whole.\n");
    let (head, body) = request.into_parts();
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if length.and_then(|it| it.parse().ok()).is_some_and(|it: usize| it > BODY_MAX_BYTES) {
        return Err(TOO_LARGE);
    }
    match clock.timeout(BODY_LIMIT, to_bytes(body, BODY_MAX_BYTES)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        Ok(Err(_)) => Err(TOO_LARGE),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "The body did not come in time.\n")),
    }
}

fn is_ours(host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    NAMES.iter().any(|name| {
        host.strip_prefix(name).is_some_and(|rest| match rest.strip_prefix(':') {
            Some(given) => given == port.to_string(),
            None => rest.is_empty() && port == 80,
        })
    })
}

/// Accepts as long as there is room.
pub(super) struct Door {
    listener: TcpListener,
    room: Arc<Semaphore>,
    clock: Clock,
}

impl Door {
    pub fn new(listener: TcpListener, clock: Clock) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(CONNECTIONS_MAX)), clock }
    }
}

impl Listener for Door {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            // The semaphore is never closed; without a permit nobody is let in.
            let Ok(permit) = self.room.clone().acquire_owned().await else { continue };
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let clock = self.clock;
            let limit = Box::pin(async move { clock.sleep(HEAD_LIMIT).await });
            let head = Head::Awaited { bytes: Vec::new(), limit };
            return (Guarded { stream, head, _permit: permit }, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection of which the first head is looked at before anybody reads it.
pub(super) struct Guarded {
    stream: TcpStream,
    head: Head,
    /// Its place among the connections.
    _permit: OwnedSemaphorePermit,
}

enum Head {
    Awaited {
        bytes: Vec<u8>,
        limit: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
    /// The bytes for the server; those from `from` on are still to be handed on.
    Whole {
        bytes: Vec<u8>,
        from: usize,
    },
}

/// No server takes this for a request, and says so with 400.
const REFUSED: &[u8] = b"\0\r\n\r\n";

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.head {
                Head::Whole { bytes, from } if *from < bytes.len() => {
                    let count = buffer.remaining().min(bytes.len() - *from);
                    buffer.put_slice(&bytes[*from..*from + count]);
                    *from += count;
                    return Poll::Ready(Ok(()));
                }
                Head::Whole { .. } => return Pin::new(&mut this.stream).poll_read(cx, buffer),
                Head::Awaited { bytes, limit } => {
                    if limit.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    let mut chunk = [0; 4096];
                    let mut read = ReadBuf::new(&mut chunk);
                    match Pin::new(&mut this.stream).poll_read(cx, &mut read) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) => {}
                    }
                    bytes.extend_from_slice(read.filled());
                    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
                    if end.is_none() && !read.filled().is_empty() && bytes.len() < HEAD_MAX_BYTES {
                        continue;
                    }
                    // Of HTTP/2 only the first head is one, and its connections know no end.
                    let other = bytes.starts_with(b"PRI ");
                    let refused = other || end.is_some_and(|end| has_two_lengths(&bytes[..end]));
                    let bytes = if refused { REFUSED.to_vec() } else { std::mem::take(bytes) };
                    this.head = Head::Whole { bytes, from: 0 };
                }
            }
        }
    }
}

/// Who counts by one and who by the other see two different requests.
fn has_two_lengths(head: &[u8]) -> bool {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    let names = lines.filter_map(|line| line.split(|byte| *byte == b':').next());
    let (mut length, mut encoding) = (false, false);
    for name in names {
        let name = name.trim_ascii();
        length |= name.eq_ignore_ascii_case(b"content-length");
        encoding |= name.eq_ignore_ascii_case(b"transfer-encoding");
    }
    length && encoding
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_names_at_this_port_are_served() {
        for host in ["127.0.0.1:80", "LOCALHOST:8080", "localhost:8080", "[::1]:8080"] {
            assert_eq!(is_ours(host, 8080), !host.ends_with(":80"), "{host}");
        }
        for host in
            ["evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1.evil.example:8080", ""]
        {
            assert!(!is_ours(host, 8080), "{host}");
        }
    }

    #[test]
    fn a_head_has_one_length() {
        let head = |lines: &str| has_two_lengths(format!("POST / HTTP/1.1\r\n{lines}").as_bytes());
        assert!(head("Transfer-Encoding: chunked\r\nContent-Length: 3"));
        assert!(head("content-length : 3\r\nTRANSFER-ENCODING: chunked"));
        assert!(!head("Content-Length: 3\r\nHost: x"));
    }
}
