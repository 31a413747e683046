//! The configuration: what is refused, and with which words.

use std::fs;

use tests::xtask::Person;

#[test]
fn an_unknown_key_is_refused_with_file_and_valid_keys() {
    let person = Person::new();
    let workspace = person.workspace("app");
    fs::write(workspace.join("ao-sandbox.toml"), "memroy = '1g'\n").expect("a file");
    person.xtask(&workspace, &["config", "--trust"]).ok();
    person.xtask(&workspace, &["config"]).fails(2).says("`memroy`").says("`memory`");
}

#[test]
fn a_mistake_in_the_file_has_its_line() {
    let person = Person::new();
    let workspace = person.workspace("app");
    fs::write(workspace.join("ao-sandbox.toml"), "memory = '1g'\ncpus = \n").expect("a file");
    person.xtask(&workspace, &["config"]).fails(2).says("ao-sandbox.toml`:2");
}

#[test]
fn a_workspaces_own_file_widens_only_after_a_yes_and_one_changed_byte_asks_again() {
    let person = Person::new();
    let workspace = person.workspace("app");
    let file = workspace.join("ao-sandbox.toml");
    fs::write(&file, "pids = 100\n").expect("a file");
    let config = person.xtask(&workspace, &["config", "--json"]).ok();
    assert_eq!(config.json()["pids"]["value"], 100);
    assert_eq!(config.json()["pids"]["from"], "ao-sandbox.toml");
    fs::write(&file, "pids = 100\nallow = ['evil.example.com']\n").expect("a file");
    person.xtask(&workspace, &["config"]).fails(2).says("evil.example.com").says("config --trust");
    person.xtask(&workspace, &["config", "--trust"]).ok();
    let config = person.xtask(&workspace, &["config", "--json"]).ok();
    assert_eq!(config.json()["allow"]["value"][0], "evil.example.com");
    fs::write(&file, "pids = 100\nallow = ['evil.example.org']\n").expect("a file");
    person.xtask(&workspace, &["config"]).fails(2);
}

#[test]
fn variables_and_their_origin_are_shown() {
    let mut person = Person::new();
    let workspace = person.workspace("app");
    person.set("AO_SANDBOX_MEMORY", "3g");
    let config = person.xtask(&workspace, &["config", "--json"]).ok();
    assert_eq!(config.json()["memory"]["from"], "AO_SANDBOX_MEMORY");
    person.set("AO_SANDBOX_MEMROY", "3g");
    person.xtask(&workspace, &["config"]).fails(2).says("AO_SANDBOX_MEMROY");
}
