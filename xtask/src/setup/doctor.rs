//! `doctor`: the checks of onboarding and those of what stands already, without mending anything.

use super::{Level, checks, show};
use crate::context::Context;
use crate::failure::PassThrough;
use crate::flags;
use crate::workspace::Workspace;

impl flags::Doctor {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let all = match checks::settings(cx, &workspace) {
            Ok(settings) => {
                let mut all = checks::ground(cx, &settings);
                let engine = all.iter().any(|check| check.name == "engine" && check.level == Level::Ok);
                if engine {
                    all.extend(checks::standing(cx, &workspace, &settings));
                }
                all
            }
            Err(check) => vec![check],
        };
        let failed = all.iter().filter(|check| check.level == Level::Fail).count();
        if cx.ui.json() {
            cx.ui.data_json(&serde_json::json!({"ok": failed == 0, "checks": all}))?;
        } else {
            show(cx, &all, |line| cx.ui.data(line));
            cx.ui.say(if failed == 0 {
                "all that is needed is there".to_owned()
            } else {
                format!("{failed} to mend; `cargo xtask onboard` does what it can")
            });
        }
        if failed == 0 { Ok(()) } else { Err(PassThrough(1).into()) }
    }
}
