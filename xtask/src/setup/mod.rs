//! From a bare machine to a running sandbox: what is looked at, what can be mended, and in which order.

pub(crate) mod apt;
mod checks;
mod doctor;
mod engine;
mod mend;
mod onboard;
pub(crate) use onboard::mend_for_tests;
mod rust;
pub(crate) mod tools;

use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Ok,
    Warn,
    Fail,
}

/// Something that `onboard` can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "what", rename_all = "kebab-case")]
pub(crate) enum Mend {
    /// `rustup target add` of these triples.
    RustTargets(Vec<String>),
    /// Packages of the distribution.
    Packages(Vec<String>),
    /// The engine is installed and must be started.
    StartEngine,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    #[serde(rename = "status")]
    pub(crate) level: Level,
    pub(crate) detail: String,
    /// The command that mends it, as a person would type it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    #[serde(skip)]
    pub(crate) mend: Vec<Mend>,
}

impl Check {
    fn new(name: &'static str, level: Level, detail: impl Into<String>) -> Self {
        Check { name, level, detail: detail.into(), remedy: None, mend: vec![] }
    }

    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Check::new(name, Level::Ok, detail)
    }

    fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Check::new(name, Level::Warn, detail)
    }

    fn fail(name: &'static str, detail: impl Into<String>) -> Self {
        Check::new(name, Level::Fail, detail)
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn mend(mut self, mend: Mend) -> Self {
        self.mend.push(mend);
        self
    }
}

/// The checks as lines for a person.
fn show(cx: &crate::context::Context, checks: &[Check], print: impl Fn(String)) {
    for check in checks {
        let word = match check.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        print(format!("{} {:<10} {}", cx.ui.mark(word), check.name, check.detail));
        if let Some(remedy) = &check.remedy {
            print(format!("     {:<10} -> {remedy}", ""));
        }
    }
}
