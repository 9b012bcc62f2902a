//! A component on its way into service: read, compiled, checked and linked; nothing of it has run.

use std::sync::Arc;

use larder_core::{Error, ErrorKind, Result};

use crate::{
    compiler::{Compiler, Read},
    engine::{Engine, LinkerKind},
    inspect::{self, World},
    lift::Linked,
    options::{Mode, PluginOptions},
    source::Source,
};

/// How the instances of a generation are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Inline,
    Fiber,
}

/// A component that passed all checks that need no instance.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) pre: Linked,
    pub(crate) style: Style,
    pub(crate) digest: String,
    pub(crate) source: String,
    pub(crate) has_handoff: bool,
}

impl Prepared {
    /// Reads a component, which must have the digest `pin` if there is one; nothing of it is compiled yet, unless it was
    /// before.
    pub(crate) async fn read(
        engine: &Arc<Engine>,
        source: &Source,
        options: &PluginOptions,
        pin: Option<&str>,
    ) -> Result<Read> {
        let (from, limit, pin) = (source.clone(), options.limits.component_bytes_max, pin.map(str::to_owned));
        let engine = Arc::clone(engine);
        let reading = move || engine.compiler().read(engine.wasmtime(), &from, limit, pin.as_deref());
        tokio::task::spawn_blocking(reading)
            .await
            .map_err(|e| Error::new(ErrorKind::Plugin, "reading the component panicked").caused_by(e))
            .flatten()
            .map_err(|e| e.with("plugin", &options.name))
    }

    /// Compiles, checks and links a component.
    pub(crate) async fn build(
        engine: &Arc<Engine>,
        source: &Source,
        read: Read,
        options: &PluginOptions,
        world: World,
    ) -> Result<Self> {
        let digest = read.digest().to_owned();
        let component = Compiler::compile(engine, read, &options.name).await?;
        let about = |e: Error| e.with("plugin", &options.name).with("component", source);
        let names = inspect::Names::of(engine, &component);
        names.check(world, options).map_err(about)?;
        let style = style(world, options).map_err(about)?;
        let kind = match (world.is_layer(), style) {
            (true, _) => LinkerKind::Layer,
            (false, Style::Inline) => LinkerKind::Inline,
            (false, Style::Fiber) => LinkerKind::Fiber,
        };
        let pre = engine.linker(kind).instantiate_pre(&component).map_err(|e| {
            let cause = crate::convert::printable(&e.root_cause().to_string(), 1_024);
            about(
                Error::config(format!("the component does not fit the contract: {cause}"))
                    .caused_by(e.into_boxed_dyn_error()),
            )
        })?;
        let pre = Linked { pre, contract: names.contract() };
        Ok(Self { pre, style, digest, source: source.to_string(), has_handoff: names.has_handoff() })
    }
}

/// Inline where nothing can block: no folder, no network, and no next store.
fn style(world: World, options: &PluginOptions) -> Result<Style> {
    let may_block = world.is_layer() || options.grants.may_block();
    match options.mode {
        Mode::Fiber => Ok(Style::Fiber),
        Mode::Auto if may_block => Ok(Style::Fiber),
        Mode::Inline if may_block => Err(Error::config(
            "a layer, or a plugin with a granted folder or network, can't be called inline: it may wait; leave `mode` at auto",
        )),
        Mode::Auto | Mode::Inline => Ok(Style::Inline),
    }
}
