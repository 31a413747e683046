//! What the parser accepts and refuses, and that it never panics on any input.

use super::*;

fn line(text: &str) -> Line {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn reason(text: &str) -> String {
    text.parse::<Line>().expect_err(text).to_string()
}

#[test]
fn each_mistake_has_its_reason() {
    for (text, part) in [
        ("example.com:0", "not a port"),
        ("example.com:65536", "not a port"),
        ("example.com:+1", "not a port"),
        ("example.com:", "not a port"),
        ("example.com:53", "resolver"),
        ("*.example.com:22", "exact name"),
        ("https://example.com", "URL"),
        ("https://example.com:8443/x", "URL"),
        ("example.com other.example", "one entry to a line"),
        ("example.com private=", "not an address"),
        ("example.com private=10.0.0.1/8", "write `10.0.0.0/8`"),
        ("example.com private=127.0.0.0/8", "loopback"),
        ("example.com private=64.0.0.0/2", "loopback"),
        ("10.0.0.0/8 private=10.0.0.0/8", "belongs to a name"),
        ("[fd00::/8", "without `]`"),
        ("[fd00::/8]x", "not a port"),
        ("fd00::zz", "not an address"),
        ("1.2.3.999", "not an address"),
        ("@nope", "`@claude`"),
        ("@npm extra", "alone"),
        ("@", "`@claude`"),
    ] {
        assert!(reason(text).contains(part), "{text}: {}", reason(text));
    }
    assert!(reason(&"a".repeat(2000)).contains("1024"));
}

#[test]
fn comments_and_space_are_not_part_of_an_entry() {
    assert_eq!(line("  # all\tcomment é"), Line::Blank);
    assert_eq!(line(""), Line::Blank);
    assert_eq!(line("\texample.com  # for x").to_string(), "example.com");
    assert_eq!(line("example.com\r").to_string(), "example.com");
    assert_eq!(line("@npm # packages").to_string(), "@npm");
}

#[test]
fn each_form_reads_back_as_it_was() {
    for text in [
        "example.com",
        "*.example.com",
        "*.example.com:8443",
        "example.com:22",
        "example.com private=10.0.0.0/8",
        "example.com:8080 private=10.0.0.0/8 private=fd00::/8",
        "10.0.0.0/8",
        "10.0.0.0/8:5432",
        "fd00::/8",
        "[fd00::/8]:5432",
        "@claude",
    ] {
        assert_eq!(line(text).to_string(), text);
        assert_eq!(line(&line(text).to_string()), line(text));
    }
    assert_eq!(line("192.0.2.7:443").to_string(), "192.0.2.7/32:443");
    assert_eq!(line("[::1]:8080").to_string(), "[::1/128]:8080");
}

/// A small generator of our own (xorshift): the same lines in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % below as u64).unwrap()
    }
}

#[test]
fn no_input_panics_and_what_is_accepted_survives_a_round_trip() {
    const PARTS: [&str; 34] = [
        "a",
        "example",
        "xn--p1ai",
        "com",
        ".",
        ".",
        ".",
        "*",
        "*.",
        ":",
        "443",
        "22",
        "0",
        "65536",
        "/",
        "8",
        "32",
        "10.0.0.0",
        "fd00::",
        "[",
        "]",
        " ",
        "\t",
        "private=",
        "10.0.0.0/8",
        "@",
        "@npm",
        "#",
        "-",
        "_",
        "é",
        "A",
        "\u{0}",
        "://",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut accepted = 0;
    for _ in 0..200_000 {
        let text: String = (0..random.next(9)).map(|_| PARTS[random.next(PARTS.len())]).collect();
        let Ok(read) = text.parse::<Line>() else { continue };
        accepted += usize::from(read != Line::Blank);
        assert_eq!(read.to_string().parse::<Line>().unwrap(), read, "{text:?}");
        assert!(!read.to_string().contains(char::is_control), "{text:?}");
    }
    assert!(accepted > 1000, "only {accepted} lines were accepted: the generator tests nothing");
}

#[test]
fn arbitrary_bytes_do_not_panic() {
    let mut random = Random(42);
    for _ in 0..100_000 {
        let bytes: Vec<u8> = (0..random.next(24)).map(|_| u8::try_from(random.next(256)).unwrap()).collect();
        let _verdict = String::from_utf8_lossy(&bytes).parse::<Line>();
    }
}
