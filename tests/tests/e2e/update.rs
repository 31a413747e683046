//! `sandbox-update` on a live sandbox: what arrives, what goes on, what is put back.

use std::fs;
use std::time::Duration;

use tests::engine::{Sandbox, docker, eventually};
use tests::process::{command, run, run_with};
use tests::xtask::workflow;

use super::build_inside;

/// A `workflow` that differs from the built one: bytes behind the end of an ELF file are not read when it runs.
fn another_workflow(sandbox: &Sandbox, tail: &str) -> String {
    let mut bytes = fs::read(workflow()).expect("a binary");
    bytes.extend_from_slice(tail.as_bytes());
    let path = sandbox.person.folder.path().join(format!("workflow-{tail}"));
    fs::write(&path, bytes).expect("a binary");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn an_edit_arrives_and_what_runs_goes_on() {
    let sandbox = Sandbox::planned_with_own_assets("live-app");
    let first = another_workflow(&sandbox, "1");
    sandbox.xtask(&["sandbox-up"]).ok();
    sandbox.xtask(&["sandbox-update", "--binary", &first]).ok();
    let before = build_inside(&sandbox);
    let id = sandbox.id();
    docker(&[
        "exec",
        "--detach",
        "--user",
        "agent",
        &id,
        "sh",
        "-c",
        "while :; do date +%s%N > ~/tick; sleep 0.05; done",
    ])
    .ok();
    docker(&[
        "exec",
        "--detach",
        "--user",
        "agent",
        &id,
        "workflow",
        "enter",
        "--timeout",
        "60",
        "--",
        "sleep",
        "60",
    ])
    .ok();
    sandbox.append("etc/ao-sandbox/allowlist", "brand-new.example.com\n");
    sandbox.append("opt/entrypoint.sh", "# edited\n");
    let second = another_workflow(&sandbox, "2");
    let update = sandbox.xtask(&["sandbox-update", "--binary", &second]).ok();
    for words in [
        "/usr/local/bin/workflow",
        "/etc/ao-sandbox/allowlist",
        "firewall",
        "takes effect at the next restart",
    ] {
        assert!(update.stderr.contains(words), "{words}: {}", update.stderr);
    }
    assert_ne!(build_inside(&sandbox), before);
    assert_eq!(sandbox.id(), id, "the same container");
    let stat = sandbox
        .root("stat -c '%u:%g %a' /usr/local/bin/workflow /opt/entrypoint.sh /opt/init-firewall.sh")
        .ok();
    assert_eq!(stat.stdout, "0:0 755\n0:0 755\n0:0 755\n");
    assert_eq!(
        sandbox.sh("pgrep -fc 'workflow enter --timeout 60 --' || true").ok().stdout.trim().lines().last(),
        Some("2"),
        "the old program goes on"
    );
    let tick = || sandbox.sh("cat ~/tick").ok().stdout;
    let then = tick();
    eventually("the loop goes on", Duration::from_secs(5), || tick() != then);

    let again = sandbox.xtask(&["sandbox-update", "--binary", &second, "--json"]).ok();
    assert_eq!(again.json()["status"], "unchanged");
    sandbox.xtask(&["sandbox-update", "--rollback"]).ok();
    assert_eq!(build_inside(&sandbox), before);
    let reached = sandbox.root("grep -c brand-new /etc/ao-sandbox/allowlist || true").ok();
    assert_eq!(reached.stdout.trim(), "0", "the allowlist is the old one too");
}

#[test]
fn a_file_that_somebody_changed_inside_is_put_right() {
    let sandbox = Sandbox::up("tampered-app");
    sandbox.xtask(&["sandbox-update"]).ok();
    sandbox.root("echo '# tampered' >> /opt/init-firewall.sh").ok();
    let update = sandbox.xtask(&["sandbox-update"]).ok();
    assert!(update.stderr.contains("/opt/init-firewall.sh"), "{}", update.stderr);
    sandbox.root("grep tampered /opt/init-firewall.sh").fails(1);
    sandbox.xtask(&["sandbox-update"]).ok().says("up to date");
}

#[test]
fn a_bad_allowlist_is_rolled_back_with_its_line_and_the_old_rules_stay() {
    let sandbox = Sandbox::planned_with_own_assets("bad-list");
    sandbox.xtask(&["sandbox-up"]).ok();
    let before = sandbox
        .root("nft list ruleset | grep -v packets | sha256sum; sha256sum /etc/ao-sandbox/allowlist")
        .ok()
        .stdout;
    let line =
        fs::read_to_string(sandbox.asset("etc/ao-sandbox/allowlist")).expect("an asset").lines().count() + 1;
    sandbox.append("etc/ao-sandbox/allowlist", "Not.A.Good.Name!\n");
    let update = sandbox.xtask(&["sandbox-update"]).fails(5).says("rolled back");
    assert!(update.stderr.contains(&format!("allowlist:{line}")), "{}", update.stderr);
    let after = sandbox
        .root("nft list ruleset | grep -v packets | sha256sum; sha256sum /etc/ao-sandbox/allowlist")
        .ok()
        .stdout;
    assert_eq!(before, after);
    sandbox.sh("curl -sS -m 5 https://refused.example.com").fails(6);
}

#[test]
fn readers_that_start_workflow_in_a_loop_never_fail_while_updates_pass() {
    let sandbox = Sandbox::planned_with_own_assets("readers");
    let releases = [another_workflow(&sandbox, "a"), another_workflow(&sandbox, "b")];
    sandbox.xtask(&["sandbox-up"]).ok();
    let id = sandbox.id();
    let script = "n=0; f=0; while [ ! -e /tmp/enough ]; do workflow version >/dev/null 2>&1 || f=$((f+1)); n=$((n+1)); done; echo $n $f";
    let reader = std::thread::spawn(move || {
        run_with(
            command("docker").args(["exec", "--user", "agent", &id, "sh", "-c", script]),
            None,
            Duration::from_secs(120),
        )
    });
    for turn in 0..40 {
        sandbox.xtask(&["sandbox-update", "--binary", &releases[turn % 2]]).ok();
    }
    sandbox.sh("touch /tmp/enough").ok();
    let counts = reader.join().expect("the reader").ok().stdout;
    let (starts, failed) = counts.trim().split_once(' ').expect("two numbers");
    assert!(starts.parse::<u32>().expect("a number") > 100, "{counts}");
    assert_eq!(failed, "0", "{counts}");
}

#[test]
fn killing_client_or_container_at_any_moment_leaves_one_whole_release() {
    let sandbox = Sandbox::planned_with_own_assets("killed");
    let releases = [another_workflow(&sandbox, "k"), another_workflow(&sandbox, "l")];
    sandbox.xtask(&["sandbox-up"]).ok();
    for turn in 0..12_u64 {
        let binary = &releases[usize::try_from(turn % 2).expect("0 or 1")];
        let mut child = sandbox
            .person
            .command(&sandbox.workspace, &["sandbox-update", "--binary", binary])
            .spawn()
            .expect("xtask starts");
        std::thread::sleep(Duration::from_millis(20 + 17 * turn));
        if turn % 3 == 2 {
            docker(&["kill", &sandbox.id()]);
        }
        drop(child.kill());
        child.wait().expect("a killed child ends");
        sandbox.xtask(&["sandbox-up"]).ok();
        let status = sandbox.root("workflow release recover && workflow release status --verify --json").ok();
        assert_eq!(status.json()["ok"], true, "turn {turn}: {}", status.stdout);
    }
}

#[test]
fn two_updates_at_once_both_end_well() {
    let sandbox = Sandbox::planned_with_own_assets("two-at-once");
    let releases = [another_workflow(&sandbox, "x"), another_workflow(&sandbox, "y")];
    sandbox.xtask(&["sandbox-up"]).ok();
    std::thread::scope(|scope| {
        for binary in &releases {
            scope.spawn(|| sandbox.xtask(&["sandbox-update", "--binary", binary]).ok());
        }
    });
    let status = sandbox.root("workflow release status --verify --json").ok();
    assert_eq!(status.json()["ok"], true);
}

#[test]
fn a_full_disk_in_the_container_is_one_clear_error_and_changes_nothing() {
    let sandbox = Sandbox::planned("full-disk");
    let small = sandbox.person.folder.path().join("small");
    fs::create_dir(&small).expect("a folder");
    run(command("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"]).arg(&small)).ok();
    let mount = format!("{}:/var/lib/ao-sandbox", small.display());
    sandbox.xtask(&["sandbox-up", "--mount", &mount]).ok();
    let before = build_inside(&sandbox);
    let binary = another_workflow(&sandbox, "full");
    let update = sandbox.xtask(&["sandbox-update", "--binary", &binary]);
    let after = build_inside(&sandbox);
    sandbox.xtask(&["sandbox-down"]).ok();
    run(command("umount").arg(&small)).ok();
    update.fails(1).says("no space left on device").says("disk of the container is full");
    assert_eq!(before, after);
}
