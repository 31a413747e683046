//! The container contract (design §4): name, labels, owner and mode, privileges, start and stop.

use std::time::Duration;

use tests::engine::{Sandbox, docker};

#[test]
fn every_row_of_the_container_contract_holds() {
    let sandbox = Sandbox::up("contract-app");
    let inspect = sandbox.inspect();
    let name = inspect["Name"].as_str().expect("a name").trim_start_matches('/').to_owned();
    assert!(name.starts_with("ao-sandbox-contract-app"), "{name}");
    assert_eq!(inspect["Config"]["Hostname"].as_str(), Some(name.as_str()));
    let labels = &inspect["Config"]["Labels"];
    assert_eq!(labels["ao.sandbox"], "true");
    assert_eq!(labels["ao.workspace"].as_str(), sandbox.workspace.to_str());
    for label in ["ao.spec", "ao.image"] {
        assert!(labels[label].as_str().is_some_and(|digest| digest.len() == 64), "{label}");
    }
    assert_eq!(inspect["HostConfig"]["CapDrop"][0], "ALL");
    assert_eq!(inspect["HostConfig"]["SecurityOpt"][0], "no-new-privileges");
    assert!(inspect["HostConfig"]["Memory"].as_u64().is_some_and(|bytes| bytes > 0));
    assert!(inspect["HostConfig"]["PidsLimit"].as_u64().is_some_and(|pids| pids > 0));

    for path in ["/usr/local/bin/workflow", "/opt/entrypoint.sh", "/opt/init-firewall.sh"] {
        let stat = sandbox.root(&format!("stat -c '%u:%g %a %F' {path}")).ok();
        assert_eq!(stat.stdout.trim(), "0:0 755 regular file", "{path}");
    }
    let state =
        sandbox.root("stat -c '%u %a' /var/lib/ao-sandbox; stat -c '%u %a' /etc/ao-sandbox/allowlist").ok();
    assert_eq!(state.stdout, "0 700\n0 644\n");
}

#[test]
fn the_agent_is_an_ordinary_user_without_any_capability() {
    let sandbox = Sandbox::up("agent-app");
    let status = sandbox
        .sh("grep -E '^Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs' /proc/self/status; id -un; id -u; pwd; echo $HOME")
        .ok();
    let lines: Vec<&str> = status.stdout.lines().collect();
    for line in &lines[..4] {
        if line.starts_with("CapEff") || line.starts_with("CapPrm") || line.starts_with("CapAmb") {
            assert!(line.ends_with("0000000000000000"), "{line}");
        }
    }
    assert!(
        lines.contains(&"NoNewPrivs:\t1") && lines.contains(&"agent") && lines.contains(&"/home/agent"),
        "{lines:?}"
    );
    assert_ne!(sandbox.sh("id -u").ok().stdout.trim(), "0");
    let suid = sandbox.root("find / -xdev -perm /6000 -type f; command -v sudo; true").ok();
    assert_eq!(suid.stdout, "", "no program lends its owner's rights");
    sandbox.sh("nft list ruleset").fails(1);
    sandbox.sh("cat /var/lib/ao-sandbox/manifest.json").fails(1);
}

#[test]
fn it_stops_at_once_starts_again_and_the_firewall_stands() {
    let sandbox = Sandbox::up("stop-app");
    sandbox.sh("echo kept > ~/kept").ok();
    let stop = sandbox.xtask(&["sandbox-stop"]).ok();
    assert!(stop.took < Duration::from_millis(1500), "{:?}", stop.took);
    sandbox.xtask(&["sandbox-exec", ".", "true"]).fails(3).says("is not running (state: exited)");
    sandbox.xtask(&["sandbox-up"]).ok().says("started");
    assert_eq!(sandbox.sh("cat ~/kept").ok().stdout.trim(), "kept");
    sandbox.sh("curl -sS -m 5 https://refused.example.com").fails(6);
    docker(&["kill", &sandbox.id()]).ok();
    sandbox.xtask(&["sandbox-up"]).ok();
    sandbox.sh("curl -sS -m 5 https://refused.example.com").fails(6);
    docker(&["pause", &sandbox.id()]).ok();
    sandbox.xtask(&["sandbox-update"]).fails(3).says("paused");
    sandbox.xtask(&["sandbox-up"]).ok().says("resumed");
}

#[test]
fn up_may_be_repeated_and_says_what_differs() {
    let sandbox = Sandbox::up("repeat-app");
    let id = sandbox.id();
    sandbox.xtask(&["sandbox-up"]).ok().says("is running already");
    sandbox.xtask(&["sandbox-up", "--pids", "5"]).fails(2);
    sandbox.xtask(&["sandbox-up", "--memory", "512m"]).ok().says("memory").says("--recreate");
    assert_eq!(sandbox.id(), id);
    sandbox.xtask(&["sandbox-up", "--memory", "512m", "--recreate"]).ok();
    assert_ne!(sandbox.id(), id);
    assert_eq!(sandbox.inspect()["HostConfig"]["Memory"].as_u64(), Some(512 << 20));
}

#[test]
fn a_mistake_in_the_allowlist_is_refused_before_anything_is_made_or_removed() {
    let sandbox = Sandbox::up("mistaken-app");
    let id = sandbox.id();
    let up =
        sandbox.xtask(&["sandbox-up", "--recreate", "--allow", "fine.example.com", "--allow", "NOT A NAME"]);
    up.fails(2).says("`allow`, entry 2").says("NOT");
    assert_eq!(sandbox.id(), id);
}

#[test]
fn a_start_without_a_firewall_fails_closed_and_says_why() {
    let sandbox = Sandbox::up("closed-app");
    sandbox.root("echo 'NOT A NAME' > /var/lib/ao-sandbox/allowlist").ok();
    sandbox.xtask(&["sandbox-stop"]).ok();
    sandbox.xtask(&["sandbox-up"]).fails(1).says("did not become ready").says("allowlist:1: `NOT`");
    assert_eq!(sandbox.inspect()["State"]["Status"], "exited");
}

#[test]
fn no_process_is_left_unreaped() {
    let sandbox = Sandbox::up("reap-app");
    sandbox.sh("for i in 1 2 3 4 5; do (sh -c 'sleep 0.1' &); done; sleep 0.5").ok();
    let zombies = sandbox.sh("ps -eo stat= | grep -c '^Z' || true").ok();
    assert_eq!(zombies.stdout.trim(), "0");
}
