//! Whether the policy stands, by behaviour: three listeners, a refused name, a refused port, a refused request.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::cidr::Cidr;
use super::dns::marker_of;
use super::entry::Entry;
use super::paths::Paths;
use super::services::missing_listeners;
use super::slots::State;
use super::system::System;
use crate::resolver::{ask, is_silence};

/// A refusal takes microseconds.
const LIMIT: Duration = Duration::from_millis(1500);
/// Reserved by RFC 2606, so no allowlist can mean it.
const NAME: &str = "refused.ao-sandbox.invalid";
/// Reserved for documentation (RFC 5737 and 3849); the first that no entry covers is asked.
const ADDRESSES: [&str; 3] = ["192.0.2.1", "198.51.100.1", "203.0.113.1"];
const ADDRESS6: &str = "2001:db8::1";
/// A port that no entry can hand to the proxy without naming it.
const PORT: u16 = 9;
/// What the proxy says on port 80, in `errors/403.http`.
const BLOCKED: &str = "blocked by sandbox network policy";

/// Asks for what the policy of the rendered `folder` must refuse.
///
/// # Errors
/// With the first thing that is not as it should be.
pub(crate) fn verify(paths: &Paths, folder: &Path) -> Result<()> {
    let state = State::read(folder)?;
    let ends = Instant::now() + LIMIT;
    // The kernel's list of sockets is no snapshot: while others come and go, one that is there may be missed.
    while let Some((what, port)) = missing_listeners(paths, &state).first() {
        ensure!(Instant::now() < ends, "{what} does not listen on port {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let system = System::read(paths, "")?;
    if let Some(resolver) = system.resolvers.first() {
        let resolver = SocketAddr::new(*resolver, 53);
        names_in_force(resolver, folder)?;
        refused_name(resolver)?;
    }
    if let Some(address) = probe(&state) {
        refused_port(SocketAddr::new(address, PORT))?;
        refused_request(SocketAddr::new(address, 80))?;
    }
    if system.ipv6 {
        refused_port(SocketAddr::new(ADDRESS6.parse()?, PORT))?;
    }
    Ok(())
}

fn probe(state: &State) -> Option<IpAddr> {
    let open: Vec<Cidr> = state.direct.values().filter_map(|text| range(text)).collect();
    let all = ADDRESSES.iter().filter_map(|text| text.parse().ok());
    all.into_iter().find(|address| !open.iter().any(|cidr| cidr.contains(Cidr::single(*address))))
}

fn range(text: &str) -> Option<Cidr> {
    match text.parse().ok()? {
        Entry::Net { cidr, .. } => Some(cidr),
        Entry::Name { .. } => None,
    }
}

/// The resolver reads the names again a moment after it was told to.
fn names_in_force(resolver: SocketAddr, folder: &Path) -> Result<()> {
    let servers = fs::read_to_string(folder.join("servers")).context("the names are not rendered")?;
    let marker = marker_of(&servers).context("the rendered names have no marker")?;
    let until = Instant::now() + LIMIT;
    loop {
        match ask(resolver, marker, LIMIT).map(|answer| answer.code) {
            Ok(3) => return Ok(()),
            Err(error) if is_no_route(&error) => return Ok(()),
            Err(error) if Instant::now() >= until => {
                return Err(error).context("the resolver does not answer");
            }
            Ok(_) if Instant::now() >= until => bail!("the resolver did not take the new names"),
            _ => sleep(Duration::from_millis(2)),
        }
    }
}

fn refused_name(resolver: SocketAddr) -> Result<()> {
    match ask(resolver, NAME, LIMIT).map(|answer| answer.code) {
        Ok(5) => Ok(()),
        Ok(code) => bail!("a name that is not allowed was answered with code {code} instead of a refusal"),
        Err(error) if is_no_route(&error) => Ok(()),
        Err(error) => Err(error).context("the resolver did not refuse a name that is not allowed"),
    }
}

fn refused_port(address: SocketAddr) -> Result<()> {
    match TcpStream::connect_timeout(&address, LIMIT) {
        Ok(_) => bail!("a connection to {address} was let out"),
        Err(error) if is_silence(&error) => bail!("a connection to {address} was not refused at once"),
        Err(_) => Ok(()),
    }
}

fn refused_request(address: SocketAddr) -> Result<()> {
    let exchange = || {
        let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(format!("GET / HTTP/1.0\r\nHost: {NAME}\r\n\r\n").as_bytes())?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer)?;
        io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    match exchange() {
        Ok(answer) => {
            let refused = answer.starts_with("HTTP/1.0 403 ") || answer.starts_with("HTTP/1.1 403 ");
            ensure!(refused && answer.contains(BLOCKED), "the proxy did not refuse a request to {address}");
            Ok(())
        }
        Err(error) if is_no_route(&error) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the proxy did not answer a request to {address}")),
    }
}

/// Without a network at all nothing can be asked, and nothing gets out.
fn is_no_route(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::thread;

    use super::*;

    fn resolver(code: u8) -> SocketAddr {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            let mut packet = [0; 512];
            let (length, from) = server.recv_from(&mut packet).unwrap();
            packet[3] = 0x80 | code;
            server.send_to(&packet[..length], from).unwrap();
        });
        address
    }

    #[test]
    fn an_answered_name_an_open_port_and_a_served_request_are_failures() {
        assert!(refused_name(resolver(0)).unwrap_err().to_string().contains("code 0"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(refused_port(address).unwrap_err().to_string().contains("let out"));
        let server = thread::spawn(move || {
            let (_probe, _) = listener.accept().unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let _length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        });
        assert!(refused_request(address).unwrap_err().to_string().contains("did not refuse"));
        server.join().unwrap();
    }

    #[test]
    fn a_refusal_is_what_we_want() {
        refused_name(resolver(5)).unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        refused_port(closed).unwrap();
    }

    #[test]
    fn the_address_that_is_asked_for_is_one_that_no_entry_opens() {
        let mut state = State::default();
        state.direct.insert(1, "192.0.2.0/24".to_owned());
        assert_eq!(probe(&state), "198.51.100.1".parse().ok());
    }
}
