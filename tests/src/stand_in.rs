//! A stand-in for `docker`, first on the `PATH`: it records each call and answers, fails, hangs or dies as it was told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::xtask::Person;

/// The stand-in's folder: rules, and the calls that were made.
pub struct StandIn {
    folder: PathBuf,
    rules: std::cell::Cell<u32>,
}

/// The first rule whose pattern fits all the arguments, joined by blanks, decides; a call without a rule fails loudly.
const SCRIPT: &str = r#"#!/bin/bash
here=$(dirname "$0")
printf '%s\n' "$*" >>"$here/calls"
[ "$1" = cp ] && cat >"$here/stdin.tar"
for rule in "$here"/rules/*/; do
    # The pattern is meant as a pattern.
    # shellcheck disable=SC2053
    if [[ "$*" == $(<"$rule/pattern") ]]; then
        case $(<"$rule/manner") in
            hang) exec sleep 60 ;;
            die) kill -9 $$ ;;
        esac
        cat "$rule/stdout"
        cat "$rule/stderr" >&2
        exit "$(<"$rule/code")"
    fi
done
echo "stand-in: no rule for: $*" >&2
exit 99
"#;

impl StandIn {
    /// Puts a stand-in first on a person's `PATH`.
    pub fn for_person(person: &mut Person) -> Self {
        let folder = person.folder.path().join("stand-in");
        fs::create_dir_all(folder.join("rules")).expect("a folder");
        let script = folder.join("docker");
        fs::write(&script, SCRIPT).expect("a script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a mode");
        let path = std::env::var("PATH").unwrap_or_default();
        person.set("PATH", format!("{}:{path}", folder.display()));
        person.set("DOCKER_HOST", "unix:///nonexistent/stand-in.sock");
        StandIn { folder, rules: std::cell::Cell::new(0) }
    }

    /// Calls that fit the pattern get this answer.
    pub fn answers(&self, pattern: &str, stdout: &str) {
        self.rule(pattern, "answer", stdout, "", 0);
    }

    /// Calls that fit the pattern fail like this.
    pub fn fails(&self, pattern: &str, code: i32, stderr: &str) {
        self.rule(pattern, "answer", "", stderr, code);
    }

    /// Calls that fit the pattern answer and fail.
    pub fn answers_with_code(&self, pattern: &str, stdout: &str, code: i32) {
        self.rule(pattern, "answer", stdout, "", code);
    }

    /// Calls that fit the pattern are killed.
    pub fn dies(&self, pattern: &str) {
        self.rule(pattern, "die", "", "", 0);
    }

    /// Calls that fit the pattern never end by themselves.
    pub fn hangs(&self, pattern: &str) {
        self.rule(pattern, "hang", "", "", 0);
    }

    /// Forgets all rules and calls.
    pub fn reset(&self) {
        fs::remove_dir_all(self.folder.join("rules")).expect("rules");
        fs::create_dir_all(self.folder.join("rules")).expect("a folder");
        self.forget_calls();
    }

    /// Forgets the calls.
    pub fn forget_calls(&self) {
        fs::write(self.folder.join("calls"), "").expect("calls");
    }

    /// The calls so far, each as its arguments joined by blanks.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The first two words of each call.
    pub fn verbs(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    }

    /// What the last `docker cp -` was fed.
    pub fn pushed(&self) -> Vec<u8> {
        fs::read(self.folder.join("stdin.tar")).expect("something was pushed")
    }

    fn rule(&self, pattern: &str, manner: &str, stdout: &str, stderr: &str, code: i32) {
        let number = self.rules.get();
        self.rules.set(number + 1);
        let folder = self.folder.join(format!("rules/{number:03}"));
        fs::create_dir_all(&folder).expect("a folder");
        let code = code.to_string();
        for (name, text) in [
            ("pattern", pattern),
            ("manner", manner),
            ("stdout", stdout),
            ("stderr", stderr),
            ("code", &code),
        ] {
            fs::write(folder.join(name), text).expect("a file");
        }
    }
}
