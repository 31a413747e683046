//! What a proxy is told, against a stand-in that records its commands and answers like HAProxy.

use std::fs;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;

/// Answers each line; what it was told stands in the list.
fn stand_in(dir: &Path, answer: fn(&str) -> &'static str) -> Arc<Mutex<Vec<String>>> {
    let listener = UnixListener::bind(dir.join("admin.sock")).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = Vec::new();
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
                line.push(byte[0]);
            }
            let line = String::from_utf8(line).unwrap();
            stream.write_all(answer(&line).as_bytes()).unwrap();
            list.lock().unwrap().push(line);
        }
    });
    told
}

fn folder(exact: &str, suffix: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(EXACT), exact).unwrap();
    fs::write(dir.path().join(SUFFIX), suffix).unwrap();
    dir
}

fn haproxy(line: &str) -> &'static str {
    match line {
        "show servers state" => {
            "1\n# be_id ...\n3 tls 1 old.example:443 0.0.0.0 2 0 1\n3 tls 2 kept.example:443 0.0.0.0 2 0 1\n\
             3 tls 3 back.example:443 0.0.0.0 0 1 1\n4 plain 1 http unix 2 0 1\n"
        }
        "show map exact.map" => {
            "0x1 old.example:443 old.example:443\n0x2 kept.example:443 kept.example:443\n"
        }
        "prepare map suffix.map" => "New version created: 7\n",
        line if line.starts_with("add server") => "New server registered.\n\n",
        line if line.starts_with("del server") => "Server deleted.\n",
        _ => "\n",
    }
}

#[test]
fn what_is_added_comes_before_what_is_removed_and_what_stays_is_not_touched() {
    let dir = folder(
        "back.example:443 back.example:443\nkept.example:443 kept.example:443\nnew.example:8443 new.example:8443\n",
        ".w.example:443 _.w.example:443\n",
    );
    let told = stand_in(dir.path(), haproxy);
    Proxy::new(dir.path()).follow(dir.path()).unwrap();
    let told = told.lock().unwrap().clone();
    assert_eq!(
        told,
        [
            "show servers state",
            "add server tls/_.w.example:443 0.0.0.0 weight 0;enable server tls/_.w.example:443;\
             enable server tls/back.example:443;\
             add server tls/new.example:8443 0.0.0.0 weight 0;enable server tls/new.example:8443;\
             add server http/new.example:8443 0.0.0.0 weight 0;enable server http/new.example:8443",
            "show map exact.map",
            "add map exact.map back.example:443 back.example:443;\
             add map exact.map new.example:8443 new.example:8443",
            "show map suffix.map",
            "prepare map suffix.map",
            "add map @7 suffix.map .w.example:443 _.w.example:443",
            "commit map @7 suffix.map",
            "del map exact.map old.example:443",
            "disable server tls/old.example:443;shutdown sessions server tls/old.example:443",
            "del server tls/old.example:443",
        ]
    );
}

#[test]
fn a_refusal_of_the_proxy_is_an_error() {
    fn refusing(line: &str) -> &'static str {
        if line.starts_with("add server") { "No such backend.\n" } else { "\n" }
    }
    let dir = folder("a.example:443 a.example:443\n", "");
    stand_in(dir.path(), refusing);
    let error = Proxy::new(dir.path()).follow(dir.path()).unwrap_err().to_string();
    assert_eq!(error, "the proxy refused a change: No such backend.");
}

#[test]
fn a_batch_fits_into_one_buffer() {
    let commands = (0..2000).map(|i| format!("add map exact.map host-{i}.example:443 x"));
    let all = batches(commands);
    assert!(all.len() > 5 && all.iter().all(|batch| batch.len() < BATCH));
    assert_eq!(all.iter().map(|batch| batch.split(';').count()).sum::<usize>(), 2000);
}
