//! Commands that only show: the configuration, and completions for shells.

use clap::CommandFactory as _;
use serde_json::{Map, json};

use crate::config::trust::OwnFile;
use crate::config::{Config, WORKSPACE_FILE};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::render::table;
use crate::workspace::Workspace;

impl flags::Config {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        if self.trust {
            return say_yes(cx, &workspace);
        }
        let config = Config::layers(cx, Some(&workspace), toml::Table::new())?;
        config.settings()?;
        let rows = config.rows();
        if cx.ui.json() {
            let entry = |(key, value, origin): &(&crate::config::keys::Key, &toml::Value, String)| {
                (key.name.to_owned(), json!({"value": value, "from": origin}))
            };
            return cx.ui.data_json(&rows.iter().map(entry).collect::<Map<_, _>>());
        }
        let lines = rows.iter().map(|(key, value, origin)| {
            vec![format!("{} = {value}", key.name), format!("# {origin}"), key.about.to_owned()]
        });
        table(&lines.collect::<Vec<_>>()).iter().for_each(|line| cx.ui.data(line));
        Ok(())
    }
}

fn say_yes(cx: &Context, workspace: &Workspace) -> anyhow::Result<()> {
    let path = workspace.path.join(WORKSPACE_FILE);
    let Some(own) = OwnFile::read(workspace)? else {
        return Err(Failure::new(Exit::Usage, format!("there is no `{path}` to say yes to")).into());
    };
    cx.ui.say(format!("`{path}` sets:"));
    own.lines().iter().for_each(|line| cx.ui.say(format!("  {line}")));
    if cx.ui.can_ask() && !cx.ui.confirm("Grant it?")? {
        cx.ui.say("nothing was granted");
        return Ok(());
    }
    own.trust(cx, workspace)?;
    cx.ui.say("granted; a change of the file asks again");
    Ok(())
}

impl flags::Completions {
    pub(crate) fn run(self, _cx: &Context) -> anyhow::Result<()> {
        let mut command = flags::Cli::command();
        clap_complete::generate(self.shell, &mut command, "xtask", &mut std::io::stdout());
        Ok(())
    }
}
