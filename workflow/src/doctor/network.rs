//! The checks of the network policy: what is not allowed is refused, and at once.
//!
//! The question for a name is asked by hand: musl's resolver takes a refusal for no answer, and waits.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Check, Level};

/// A refusal takes microseconds; whoever needs longer than this was dropped, not refused.
const LIMIT: Duration = Duration::from_secs(2);
/// A name that exists, so that an answer means the policy is not in force, and that nobody works with.
const NAME: &str = "example.com";
/// Reserved for documentation; a port that no proxy takes.
const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 1], 9);
const REMEDY: &str = "apply the policy again: `docker exec --user root CONTAINER /opt/init-firewall.sh`";

/// Asks for a name that is not allowed.
pub(super) fn refused_name(resolv_conf: &Path) -> Check {
    let text = fs::read_to_string(resolv_conf).unwrap_or_default();
    match nameserver(&text) {
        Some(server) => judge_name(ask(SocketAddr::new(server, 53), NAME)),
        None => Check::bad("refused name", Level::Fail, "no nameserver is configured", REMEDY),
    }
}

fn judge_name(answer: io::Result<Answer>) -> Check {
    let name = "refused name";
    match answer {
        Ok(Answer { code: 0, addresses: 1.., .. }) => {
            Check::bad(name, Level::Fail, format!("`{NAME}` was answered"), REMEDY)
        }
        Ok(Answer { code: 0 | 3 | 5, took, .. }) => {
            Check::ok(name, format!("refused after {} ms", took.as_millis()))
        }
        Ok(Answer { code, .. }) => {
            Check::bad(name, Level::Warn, format!("answered with code {code} instead of a refusal"), REMEDY)
        }
        Err(error) if is_silence(&error) => {
            Check::bad(name, Level::Warn, "no answer, so programs wait", REMEDY)
        }
        Err(error) => Check::bad(name, Level::Warn, error.to_string(), REMEDY),
    }
}

/// Connects to an address that is not allowed.
pub(super) fn refused_address() -> Check {
    let name = "refused address";
    let started = Instant::now();
    match TcpStream::connect_timeout(&SocketAddr::from(ADDRESS), LIMIT) {
        Ok(_) => Check::bad(name, Level::Fail, "the connection was let out", REMEDY),
        Err(error) if is_silence(&error) => {
            Check::bad(name, Level::Warn, "dropped without an answer, so programs wait", REMEDY)
        }
        Err(_) => Check::ok(name, format!("refused after {} ms", started.elapsed().as_millis())),
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn nameserver(resolv_conf: &str) -> Option<IpAddr> {
    let mut values = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    values.find_map(|value| value.trim().parse().ok())
}

/// What a resolver says: the code (RFC 1035, 4.1.1), the number of records, and the time it took.
struct Answer {
    code: u8,
    addresses: u16,
    took: Duration,
}

/// Asks `server` for an address of `name`.
fn ask(server: SocketAddr, name: &str) -> io::Result<Answer> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(LIMIT))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answered_by(reply: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static) -> Check {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 512];
            let (length, from) = server.recv_from(&mut packet).unwrap();
            server.send_to(&reply(&packet[..length]), from).unwrap();
        });
        let check = judge_name(ask(address, NAME));
        thread.join().unwrap();
        check
    }

    fn with_code(code: u8, addresses: u8) -> impl FnOnce(&[u8]) -> Vec<u8> {
        move |question| {
            let mut answer = question.to_vec();
            (answer[2], answer[3], answer[7]) = (0x81, 0x80 | code, addresses);
            answer
        }
    }

    #[test]
    fn a_name_that_is_answered_is_no_refusal() {
        assert_eq!(answered_by(with_code(0, 1)).status, Level::Fail);
        assert_eq!(answered_by(with_code(2, 0)).status, Level::Warn);
        assert_eq!(answered_by(|_| vec![1, 2]).status, Level::Warn);
    }

    #[test]
    fn refused_and_no_such_name_are_refusals() {
        assert_eq!(answered_by(with_code(5, 0)).status, Level::Ok);
        assert_eq!(answered_by(with_code(3, 0)).status, Level::Ok);
    }

    #[test]
    fn the_first_nameserver_that_is_an_address_counts() {
        assert_eq!(
            nameserver("# no\nsearch x\nnameserver y\n nameserver 127.0.0.11\n"),
            "127.0.0.11".parse().ok()
        );
        assert_eq!(nameserver(""), None);
    }
}
