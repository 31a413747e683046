//! A question to a resolver, asked by hand: what counts is how the very server answers, not what libc makes of it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// What a resolver says: the code (RFC 1035, 4.1.1), the number of records, and the time it took.
pub(crate) struct Answer {
    pub(crate) code: u8,
    pub(crate) addresses: u16,
    pub(crate) took: Duration,
}

/// Asks `server` for an address of `name`, and waits for the answer no longer than `limit`.
pub(crate) fn ask(server: SocketAddr, name: &str, limit: Duration) -> io::Result<Answer> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(limit))?;
    let started = Instant::now();
    socket.send(&question(name))?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer)?;
    if length < 12 {
        return Err(ErrorKind::InvalidData.into());
    }
    let addresses = u16::from_be_bytes([answer[6], answer[7]]);
    Ok(Answer { code: answer[3] & 0x0f, addresses, took: started.elapsed() })
}

/// One question: the header with an id and "recursion desired", the name, type A, class IN.
fn question(name: &str) -> Vec<u8> {
    let mut packet = vec![0x61, 0x6f, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).unwrap_or(63));
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, 1, 0, 1]);
    packet
}

/// Nobody answered within the time, which is not the refusal that is wanted.
pub(crate) fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
