//! The checks of the network policy: what is not allowed is refused, and at once.
//!
//! The question for a name is asked by hand: musl's resolver takes a refusal for no answer, and waits.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Check, Level};
use crate::resolver::{Answer, ask, is_silence};

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
        Some(server) => judge_name(ask(SocketAddr::new(server, 53), NAME, LIMIT)),
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

fn nameserver(resolv_conf: &str) -> Option<IpAddr> {
    let mut values = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    values.find_map(|value| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn answered_by(reply: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static) -> Check {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 512];
            let (length, from) = server.recv_from(&mut packet).unwrap();
            server.send_to(&reply(&packet[..length]), from).unwrap();
        });
        let check = judge_name(ask(address, NAME, LIMIT));
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
