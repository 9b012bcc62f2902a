//! What a guest sees of its surroundings, and what it can make the host say.

use std::sync::{Arc, Mutex, PoisonError};

use larder_core::{ErrorKind, KvStore, Result};
use larder_tests::attacks::Attack;
use larder_wasm::{Engine, KvPlugin, Mode, PluginOptions};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{MODES, component, engine, is_alive, key};

pub(super) fn options(mode: Mode) -> PluginOptions {
    PluginOptions::new("spy").with_mode(mode).with_supervision(crate::patient())
}

pub(super) async fn load(engine: &Arc<Engine>, options: PluginOptions) -> KvPlugin {
    KvPlugin::load(engine, &component("kv-spy"), options).await.unwrap()
}

pub(super) async fn act(plugin: &KvPlugin, deed: &str) -> Result<String> {
    let entry = plugin.get(&key(deed)).await?.expect("each deed has an answer");
    Ok(String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn a_guest_sees_the_variables_that_it_was_granted_and_no_other() {
    let attack = Attack::begin("undeclared environment");
    let engine = engine();
    // Of the host there are many; this one is always there.
    assert!(std::env::var_os("PATH").is_some());
    for mode in MODES {
        let mut granted = options(mode);
        assert_eq!(act(&load(&engine, granted.clone()).await, "env").await.unwrap(), "");
        granted.grants.env.push(("TOKEN".to_owned(), "s3cret".to_owned()));
        assert_eq!(act(&load(&engine, granted).await, "env").await.unwrap(), "TOKEN=s3cret\n");
    }
    attack.held();
}

#[tokio::test]
async fn arguments_input_and_working_folder_of_the_host_are_not_seen() {
    let attack = Attack::begin("arguments, standard input, working folder");
    let engine = engine();
    for mode in MODES {
        let plugin = load(&engine, options(mode)).await;
        for deed in ["arguments", "input"] {
            assert_eq!(act(&plugin, deed).await.unwrap(), "", "{mode:?} {deed}");
        }
        assert_eq!(act(&plugin, "here").await.unwrap(), "/", "{mode:?}");
    }
    is_alive(&engine).await;
    attack.held();
}

#[tokio::test]
async fn a_guest_that_exits_ends_its_instance_and_not_the_host() {
    let mut attack = Attack::begin("exit of the process");
    let engine = engine();
    for mode in MODES {
        let plugin = load(&engine, options(mode)).await;
        for deed in ["exit 0", "exit 1"] {
            let error = act(&plugin, deed).await.expect_err("there is no answer");
            assert_eq!(error.kind(), ErrorKind::Plugin, "{mode:?} {deed}: {}", error.chain());
            attack.reported(&error);
            assert_eq!(act(&plugin, "env").await.unwrap(), "");
        }
    }
    is_alive(&engine).await;
    attack.held();
}

#[tokio::test]
async fn forged_handles_and_random_bytes_without_end_cost_the_instance() {
    let engine = engine();
    for (row, deeds) in
        [("forged handles", &["forge", "forge-drop"][..]), ("random without end", &["random"][..])]
    {
        let mut attack = Attack::begin(row);
        for mode in MODES {
            let plugin = load(&engine, options(mode)).await;
            for deed in deeds {
                let error = act(&plugin, deed).await.expect_err("it got nothing");
                assert_eq!(error.kind(), ErrorKind::Plugin, "{mode:?} {deed}: {}", error.chain());
                attack.reported(&error);
                assert_eq!(act(&plugin, "env").await.unwrap(), "");
            }
        }
        is_alive(&engine).await;
        attack.held();
    }
}

/// Secrets in settings and grants, of a plugin that fails and one that does not load.
#[tokio::test]
async fn settings_and_variables_are_in_no_error_and_no_debug() {
    let attack = Attack::begin("settings in `Debug` and errors");
    let engine = engine();
    let mut secret = options(Mode::Auto).with_setting("password", "s3cret");
    secret.grants.env.push(("TOKEN".to_owned(), "s3cret".to_owned()));
    let plugin = load(&engine, secret.clone()).await;
    let mut said = vec![format!("{secret:?} {plugin:?} {:?}", plugin.report())];
    for deed in ["err", "exit 1", "forge", "no such"] {
        let error = act(&plugin, deed).await.expect_err(deed);
        said.push(format!("{error:?} {}", error.chain()));
    }
    // This one takes no such setting, and says so.
    let error =
        KvPlugin::load(&engine, &component("kv-memory"), secret).await.expect_err("an unknown setting");
    said.push(format!("{error:?} {}", error.chain()));
    for text in said {
        assert!(!text.contains("s3cret"), "{text}");
    }
    attack.held();
}

/// Keeps the lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _attributes: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, _values: &span::Record<'_>) {}

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message(Option<String>);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = Some(format!("{value:?}"));
                }
            }
        }
        let mut message = Message(None);
        event.record(&mut message);
        if event.metadata().target().starts_with("larder") {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(message.0);
        }
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

/// Longest line that a log may get of a guest, in bytes: 4 KiB, and what stands around it.
const LINE_BYTES_MAX: usize = 5_000;

#[tokio::test]
async fn a_guest_forges_no_line_of_the_log_and_no_error() {
    let attack = Attack::begin("log injection");
    let engine = engine();
    for mode in MODES {
        let lines = Lines::default();
        let told = tracing::subscriber::set_default(lines.clone());
        let plugin = load(&engine, options(mode)).await;
        assert_eq!(act(&plugin, "say").await.unwrap(), "said");
        drop((plugin, told));
        let lines = lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(lines.iter().any(|line| line.contains("forged")), "{mode:?}: nothing was logged");
        for line in lines.iter() {
            assert!(!line.chars().any(is_line_breaking), "{mode:?}: {line:?}");
            assert!(line.len() <= LINE_BYTES_MAX, "{mode:?}: a line of {} bytes", line.len());
        }
    }
    attack.held();

    let mut attack = Attack::begin("error injection");
    for mode in MODES {
        let plugin = load(&engine, options(mode)).await;
        let error = act(&plugin, "err").await.expect_err("it answers an error");
        let text = error.chain();
        assert!(text.contains("forged") && !text.chars().any(is_line_breaking), "{text:?}");
        attack.reported(&error);
    }
    attack.held();
}

/// Would begin a line, or steer a terminal.
fn is_line_breaking(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
