//! What is refused: exit code 1, and nothing changed.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::fixture::{ALLOWLIST, Answer, ENTRYPOINT, FIREWALL, Release, Sandbox, WORKFLOW, program};

/// Pushes and installs `release` over "old"; it has to be refused, with `reason`, and change nothing.
fn refuse(release: &Release, reason: &str, spoil: impl FnOnce(&Sandbox)) {
    let sandbox = Sandbox::with(&Release::new("old"));
    sandbox.push(release);
    spoil(&sandbox);
    let before = sandbox.tree();
    let answer = sandbox.install(release);
    assert_eq!((answer.code, answer.status()), (Some(1), "refused"), "{answer:?}");
    assert!(answer.error().contains(reason), "{:?} lacks {reason:?}", answer.error());
    assert_eq!(answer.json["files"], json!([]));
    assert_eq!(answer.stderr, "");
    assert_eq!(sandbox.tree(), before);
    assert!(!sandbox.incoming(release).exists(), "what was pushed is still there");
    sandbox.assert_tidy();
}

fn changed(change: impl FnOnce(&mut Release)) -> Release {
    let mut release = Release::new("new");
    change(&mut release);
    release
}

#[test]
fn paths_outside_of_our_places() {
    for path in ["/etc/shadow", "/opt/../etc/shadow", "/etc/ao-sandbox/../../shadow", "opt/x", "/opt/a/b"] {
        let release = changed(|release| {
            release.entry(ALLOWLIST)["path"] = json!(path);
            release.manifest["files"].as_array_mut().unwrap().sort_by_key(|file| file["path"].to_string());
            release.seal();
        });
        refuse(&release, "is refused", |_| {});
    }
}

#[test]
fn a_content_that_is_not_the_one_of_the_manifest() {
    let release = Release::new("new");
    let pushed = |sandbox: &Sandbox, path: &str| sandbox.incoming(&release).join("files").join(&path[1..]);
    refuse(&release, "has the digest", |sandbox| fs::write(pushed(sandbox, ALLOWLIST), "wen").unwrap());
    refuse(&release, "has a size of", |sandbox| fs::write(pushed(sandbox, ALLOWLIST), "n").unwrap());
    refuse(&release, "has a size of", |sandbox| {
        fs::write(pushed(sandbox, ENTRYPOINT), [b'n'; 99999]).unwrap()
    });
}

#[test]
fn a_manifest_that_lies() {
    let release = changed(|release| {
        release.entry(ALLOWLIST)["mode"] = json!(0o4755);
        release.seal();
    });
    refuse(&release, "neither 755 nor 644", |_| {});
    refuse(&changed(|release| release.entry(ALLOWLIST)["size"] = json!(9)), "its files make", |_| {});
    refuse(&changed(|release| release.manifest["version"] = json!(2)), "version 2", |_| {});
    let (release, other) = (Release::new("new"), Release::new("other"));
    let text = serde_json::to_vec(&other.manifest).unwrap();
    refuse(&release, "is of release", |sandbox| {
        fs::write(sandbox.incoming(&release).join("manifest.json"), text).unwrap();
    });
}

#[test]
fn a_release_without_a_firewall() {
    let mut contents = Release::new("new").contents;
    contents.remove(FIREWALL);
    refuse(&Release::of(contents), "the manifest lacks `/opt/init-firewall.sh`", |_| {});
}

#[test]
fn links_on_the_way() {
    let release = Release::new("new");
    refuse(&release, "is not a folder", |sandbox| {
        fs::rename(sandbox.place("/opt"), sandbox.place("/elsewhere")).unwrap();
        symlink(sandbox.place("/elsewhere"), sandbox.place("/opt")).unwrap();
    });
    refuse(&release, "is not a folder", |sandbox| {
        let files = sandbox.incoming(&release).join("files");
        fs::rename(files.join("opt"), sandbox.place("/elsewhere")).unwrap();
        symlink(sandbox.place("/elsewhere"), files.join("opt")).unwrap();
    });
    refuse(&release, "is not a regular file", |sandbox| {
        let file = sandbox.incoming(&release).join("files/opt/entrypoint.sh");
        fs::remove_file(&file).unwrap();
        symlink("/etc/passwd", &file).unwrap();
    });
    refuse(&release, "but not as a regular file", |sandbox| {
        fs::remove_file(sandbox.place(ENTRYPOINT)).unwrap();
        symlink("/etc/passwd", sandbox.place(ENTRYPOINT)).unwrap();
    });
}

#[test]
fn a_release_that_nobody_pushed_or_that_is_none() {
    let sandbox = Sandbox::with(&Release::new("old"));
    let answer = sandbox.install(&Release::new("new"));
    assert_eq!((answer.code, answer.status()), (Some(1), "refused"));
    assert!(answer.error().contains("no manifest was pushed"), "{answer:?}");
    let answer = sandbox.release(["install", "../../../etc", "--json"]);
    assert!(answer.error().contains("is not a release"), "{answer:?}");
    let answer = sandbox.release(["install", "../../../etc"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), "refused    ../../../etc\n"));
    assert!(answer.stderr.starts_with("error: `../../../etc` is not a release"), "{answer:?}");
    assert_eq!(sandbox.release(["install"]).code, Some(2));
}

#[test]
fn files_that_are_neither_pushed_nor_there() {
    let (old, new) = (Release::new("old"), Release::new("new"));
    let sandbox = Sandbox::with(&old);
    let before = sandbox.tree();
    sandbox.push_only(&new, &[ALLOWLIST, ENTRYPOINT]);
    let answer = sandbox.release(["install", new.name(), "--base", &"0".repeat(64), "--json"]);
    assert_eq!((answer.code, answer.status()), (Some(1), "base-mismatch"), "{answer:?}");
    assert!(answer.error().contains(&format!("was expected, installed is `{}`", old.name())), "{answer:?}");
    // What was pushed is thrown away, so the next push has to bring it as well.
    assert_eq!(answer.json["missing"], json!([ALLOWLIST, ENTRYPOINT, FIREWALL, WORKFLOW]));
    assert_eq!(sandbox.tree(), before);
    sandbox.assert_tidy();
    let missing: Vec<&str> =
        answer.json["missing"].as_array().unwrap().iter().flat_map(|p| p.as_str()).collect();
    sandbox.push_only(&new, &missing);
    assert_eq!(sandbox.install(&new).status(), "installed");
}

#[test]
fn another_base_alone_is_no_reason() {
    let (old, new) = (Release::new("old"), Release::new("old").with(ALLOWLIST, b"new"));
    let sandbox = Sandbox::with(&old);
    sandbox.push_only(&new, &[ALLOWLIST]);
    let answer = sandbox.release(["install", new.name(), "--base", &"0".repeat(64), "--json"]);
    assert_eq!((answer.code, answer.status()), (Some(0), "installed"), "{answer:?}");
}

/// On a file system of its own, in a mount namespace that ends with the script.
#[test]
fn a_full_disk() {
    let sandbox = Sandbox::with(&Release::new("old"));
    let new = Release::new("new");
    sandbox.push(&new);
    let script = r#"
        set -e
        mount -t tmpfs -o "size=$1k" tmpfs "$4"
        cp -a "$2/." "$4"
        cp "$4/opt/entrypoint.sh" "$2/before"
        code=0; "$3" release install "$5" --json --root "$4" > "$2/answer" || code=$?
        cmp "$2/before" "$4/opt/entrypoint.sh"
        test ! -e "$4/var/lib/ao-sandbox/journal.json"
        "$3" release status --verify --json --root "$4"
        exit "$code""#;
    let small = tempfile::tempdir().unwrap();
    let used: usize = sandbox.tree().values().map(|(.., content)| content.len().div_ceil(4096) * 4).sum();
    let (binary, enough_for_two) = (env!("CARGO_BIN_EXE_workflow"), 2 * used + 256);
    let mut unshare = program("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    unshare.arg(enough_for_two.to_string()).arg(sandbox.root()).arg(binary).arg(small.path()).arg(new.name());
    let status = Answer::of(unshare.output().unwrap());
    assert_eq!((status.code, &status.json["ok"]), (Some(1), &json!(true)), "{status:?}");
    let answer = fs::read_to_string(sandbox.place("/answer")).unwrap();
    assert!(answer.contains(r#""status":"refused""#) && answer.contains("No space left"), "{answer}");
}
