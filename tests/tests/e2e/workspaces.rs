//! Workspaces: odd paths, equal names, owners, git on both sides.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};

use tests::engine::{Sandbox, git};
use tests::process::{command, run};

#[test]
fn a_path_with_blanks_and_other_alphabets_works() {
    let sandbox = Sandbox::up("мой проект, \"v2\"");
    let pwd = sandbox.sh("pwd && echo made > 'a file'").ok();
    assert_eq!(pwd.stdout.trim(), sandbox.workspace.to_str().expect("UTF-8"));
    assert_eq!(fs::read_to_string(sandbox.workspace.join("a file")).expect("a file"), "made\n");
    sandbox.xtask(&["sandbox-update"]).ok();
}

#[test]
fn two_workspaces_of_the_same_name_do_not_meet() {
    let first = Sandbox::up("same/app");
    let mut second = Sandbox::planned("other/app");
    // The same person, with two folders of one name.
    let state = first.person.folder.path().join("state");
    second.person.set("AO_SANDBOX_STATE_DIR", state.to_str().expect("UTF-8"));
    second.xtask(&["sandbox-up"]).ok();
    let (a, b) = (first.inspect(), second.inspect());
    assert_ne!(a["Name"], b["Name"]);
    let name = b["Name"].as_str().expect("a name").to_owned();
    let digits = name.rsplit('-').next().expect("digits");
    assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    second.xtask(&["sandbox-down"]).ok();
    second.xtask(&["sandbox-up"]).ok();
    assert_eq!(second.inspect()["Name"].as_str(), Some(name.as_str()), "a name once given stays");
}

#[test]
fn where_root_owns_the_workspace_the_agent_writes_it_and_the_host_can_remove_that() {
    let sandbox = Sandbox::planned("rooted");
    fs::write(sandbox.workspace.join("old"), "old").expect("a file");
    fs::create_dir_all(sandbox.workspace.join("deep/er")).expect("a folder");
    if fs::metadata(&sandbox.workspace).expect("a workspace").uid() != 0 {
        return chown_needs_root();
    }
    sandbox.xtask(&["sandbox-up"]).ok();
    sandbox.sh("echo new > new && echo more >> old && mkdir -p deep/er/x && echo y > deep/er/x/y").ok();
    assert_eq!(fs::read_to_string(sandbox.workspace.join("old")).expect("a file"), "oldmore\n");
    fs::write(sandbox.workspace.join("later"), "later").expect("a file");
    sandbox.sh("echo more >> later && rm new").ok();
    fs::write(sandbox.workspace.join("deep/er/x/y"), "edited").expect("the host edits what was made inside");
    fs::remove_dir_all(sandbox.workspace.join("deep")).expect("the host removes what was made inside");
}

#[test]
fn the_agent_has_the_uid_of_the_workspaces_owner() {
    let mut sandbox = Sandbox::planned("owned");
    // Two owners cannot share one login volume: the other tests keep theirs.
    sandbox.person.set("AO_SANDBOX_VOLUME_PREFIX", "ao-sandbox-e2e-owned-");
    if chown(&sandbox.workspace, Some(1234), Some(2345)).is_err() {
        return chown_needs_root();
    }
    run(command("chown").args(["-R", "1234:2345"]).arg(&sandbox.workspace)).ok();
    sandbox.xtask(&["sandbox-up"]).ok();
    sandbox.sh("id -u; id -g; echo x > made; touch ~/mine ~/.claude/mine").ok();
    let made = fs::metadata(sandbox.workspace.join("made")).expect("a file");
    assert_eq!((made.uid(), made.gid()), (1234, 2345));
}

/// These tests change owners; who is not root cannot, and must not believe that they passed.
fn chown_needs_root() {
    panic!("this test changes owners of files: run it as root");
}

#[test]
fn git_works_on_both_sides_and_hooks_and_config_cannot_be_written() {
    let sandbox = Sandbox::up("git-app");
    let commit = "git -c user.name=a -c user.email=a@a commit -qm inside --allow-empty";
    sandbox.sh(&format!("echo 1 > f && git add f && {commit}")).ok();
    assert_eq!(git(&sandbox.workspace, &["log", "--format=%s"]).ok().stdout.trim(), "inside");
    git(&sandbox.workspace, &["commit", "-q", "--allow-empty", "-m", "outside"]).ok();
    assert_eq!(sandbox.sh("git log --format=%s -1").ok().stdout.trim(), "outside");
    for attack in [
        "echo evil > .git/hooks/post-checkout",
        "echo evil >> .git/config",
        "git config core.hooksPath /tmp",
        "rm -rf .git/hooks",
        "mv .git/hooks .git/h",
        "mv .git .old",
        "mv .git/config .git/c",
    ] {
        assert_ne!(sandbox.sh(attack).code, 0, "{attack}");
    }
    assert!(sandbox.workspace.join(".git/hooks").is_dir());
    assert!(!sandbox.workspace.join(".git/hooks/post-checkout").exists());
}

#[test]
fn a_linked_worktree_has_its_common_folder() {
    let main = Sandbox::planned("main-tree");
    git(&main.workspace, &["commit", "-q", "--allow-empty", "-m", "first"]).ok();
    let tree = main.person.folder.path().join("linked");
    git(&main.workspace, &["worktree", "add", "-q", tree.to_str().expect("UTF-8")]).ok();
    let folder = tree.to_str().expect("UTF-8");
    main.person.xtask(&tree, &["sandbox-up"]).ok();
    let linked = |script: &str| main.person.xtask(&tree, &["sandbox-exec", "-w", folder, "sh", "-c", script]);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        linked("echo 1 > f && git add f && git -c user.name=a -c user.email=a@a commit -qm linked").ok();
        let hooks = main.workspace.join(".git/hooks/post-checkout");
        assert_ne!(linked(&format!("echo evil > {}", hooks.display())).code, 0);
        assert_ne!(linked("echo 'gitdir: /tmp' > .git").code, 0);
    }));
    main.person.xtask(&tree, &["sandbox-down"]).ok();
    result.expect("git works in the linked worktree");
    assert_eq!(git(&tree, &["log", "-1", "--format=%s"]).ok().stdout.trim(), "linked");
}
