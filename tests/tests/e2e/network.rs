//! The network policy with real packets, to a server on a Docker network of the test's own, whose resolver is Docker's.

use std::time::Duration;

use tests::engine::{IMAGE, Sandbox, docker};

/// Answers HTTP on 80 and 8080, slowly on `/slow`: a line every 100 ms for 6 s.
const SERVER: &str = r#"
import threading, time
from http.server import *
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        for n in range(60 if self.path == "/slow" else 1):
            self.wfile.write(b"line\n"); self.wfile.flush(); time.sleep(0.1)
    def log_message(self, *args): pass
for port in (80, 8080):
    threading.Thread(target=ThreadingHTTPServer(("", port), Handler).serve_forever).start()
"#;

/// A Docker network with one server that has four names; it goes away at the end.
struct Lab {
    network: String,
    server: String,
    address: String,
    subnet: String,
}

impl Lab {
    fn new(name: &str) -> Self {
        tests::engine::needed();
        drop(Sandbox::up(&format!("{name}-warm-up")));
        let network =
            docker(&["network", "create", "--label", "ao.e2e=lab", name]).ok().stdout.trim().to_owned();
        let mut args = vec!["run", "--detach", "--label", "ao.e2e=lab", "--network", name];
        for alias in
            ["allowed.lab.example", "refused.lab.example", "a.b.wild.lab.example", "wild.lab.example"]
        {
            args.extend(["--network-alias", alias]);
        }
        args.extend(["--entrypoint", "python3", IMAGE, "-c", SERVER]);
        let server = docker(&args).ok().stdout.trim().to_owned();
        let ask = |format: &str, kind: &str, id: &str| {
            docker(&[kind, "inspect", "--format", format, id]).ok().stdout.trim().to_owned()
        };
        let address = ask("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "container", &server);
        let subnet = ask("{{(index .IPAM.Config 0).Subnet}}", "network", &network);
        Lab { network, server, address, subnet }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.server]);
        docker(&["network", "rm", &self.network]);
    }
}

/// The sandbox last, so that it is dropped before the network it is on.
fn sandbox_in(lab: &Lab, name: &str, network: &str) -> Sandbox {
    let sandbox = Sandbox::planned_with_own_assets(name);
    let allow = |entry: &str| format!("{entry} private={}", lab.subnet);
    let (exact, wild) = (allow("allowed.lab.example"), allow("*.wild.lab.example"));
    sandbox.xtask(&["sandbox-up", "--network", network, "--allow", &exact, "--allow", &wild]).ok();
    sandbox
}

#[test]
fn allowed_names_are_reached_and_everything_else_is_refused_at_once() {
    let lab = Lab::new("ao-e2e-names");
    let sandbox = sandbox_in(&lab, "names-app", "ao-e2e-names");
    let get = |arguments: &str| sandbox.sh(&format!("curl -sS --fail -m 5 {arguments}"));
    assert_eq!(get("http://allowed.lab.example/").ok().stdout, "line\n");
    assert_eq!(get("http://a.b.wild.lab.example/").ok().stdout, "line\n");
    let ip = &lab.address;
    for refused in [
        "http://refused.lab.example/".to_owned(),
        "http://wild.lab.example/".to_owned(),
        format!("http://{ip}/"),
        format!("http://{ip}:8080/"),
        "http://allowed.lab.example:8080/".to_owned(),
        format!("--resolve refused.lab.example:80:{ip} http://refused.lab.example/"),
        "-H 'Host: refused.lab.example' http://allowed.lab.example/".to_owned(),
        format!("--proxytunnel -x http://allowed.lab.example:80 http://{ip}/"),
        "-k https://allowed.lab.example:443/ --connect-to ::refused.lab.example:80".to_owned(),
        "-6 'http://[fd00::1]/'".to_owned(),
        "http://169.254.169.254/".to_owned(),
        "http://host.docker.internal/".to_owned(),
        "-H 'Host: allowed.lab.example' http://10.1.2.3/".to_owned(),
    ] {
        let answer = get(&refused);
        assert_ne!(answer.code, 0, "{refused}: {}", answer.stdout);
        assert_ne!(answer.code, 28, "{refused}: silence instead of a refusal");
    }
}

#[test]
fn dns_asks_only_for_allowed_names_and_nobody_else_is_asked() {
    let lab = Lab::new("ao-e2e-dns");
    let sandbox = sandbox_in(&lab, "dns-app", "ao-e2e-dns");
    let ask = |name: &str, server: &str, stream: bool| {
        let script = format!(
            "import socket, struct
q = struct.pack('>6H', 7, 256, 1, 0, 0, 0) + b''.join(bytes([len(p)]) + p.encode() for p in '{name}'.split('.')) + b'\\0' + struct.pack('>2H', 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_{kind}); s.settimeout(3); s.connect(('{server}', 53))
s.send({frame}); a = s.recv(512){cut}
print(a[3] & 15, struct.unpack('>H', a[6:8])[0])",
            kind = if stream { "STREAM" } else { "DGRAM" },
            frame = if stream { "struct.pack('>H', len(q)) + q" } else { "q" },
            cut = if stream { "[2:]" } else { "" },
        );
        sandbox.sh(&format!("python3 -c \"{script}\"")).ok().stdout.trim().to_owned()
    };
    for stream in [false, true] {
        assert_eq!(ask("allowed.lab.example", "127.0.0.11", stream), "0 1");
        // Whatever server is asked, ours answers.
        assert_eq!(ask("allowed.lab.example", "192.0.2.53", stream), "0 1");
        for name in ["refused.lab.example", "data-to-carry-out.tunnel.example", "below.allowed.lab.example"] {
            let answer = ask(name, "192.0.2.53", stream);
            assert!(answer == "5 0" || answer == "3 0", "{name}: {answer}");
        }
    }
}

#[test]
fn an_edit_of_the_allowlist_reaches_the_running_sandbox_and_what_stays_allowed_goes_on() {
    let lab = Lab::new("ao-e2e-edit");
    let sandbox = sandbox_in(&lab, "edit-app", "ao-e2e-edit");
    let refused = "curl -sS --fail -m 5 http://refused.lab.example/";
    assert_ne!(sandbox.sh(refused).code, 0);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| sandbox.sh("curl -sS -m 20 http://allowed.lab.example/slow | wc -l"));
        std::thread::sleep(Duration::from_millis(800));
        sandbox.append("etc/ao-sandbox/allowlist", &format!("refused.lab.example private={}\n", lab.subnet));
        sandbox.xtask(&["sandbox-update"]).ok().says("firewall");
        sandbox.sh(refused).ok();
        sandbox.xtask(&["sandbox-update", "--rollback"]).ok();
        assert_ne!(sandbox.sh(refused).code, 0);
        assert_eq!(slow.join().expect("the download").ok().stdout.trim(), "60", "the download was not cut");
    });
}

#[test]
fn the_policy_stands_after_a_restart_and_when_a_network_is_attached_later() {
    let lab = Lab::new("ao-e2e-later");
    let sandbox = sandbox_in(&lab, "later-app", "bridge");
    let direct = format!("curl -sS --fail -m 5 http://{}/", lab.address);
    let id = sandbox.id();
    docker(&["network", "connect", "ao-e2e-later", &id]).ok();
    assert_ne!(sandbox.sh(&direct).code, 0);
    docker(&["restart", "--time", "2", &id]).ok();
    assert_ne!(sandbox.sh(&direct).code, 0);
    assert_ne!(sandbox.sh("curl -sS -m 5 https://refused.example.com/").code, 0);
    docker(&["network", "disconnect", "ao-e2e-later", &id]).ok();
}
