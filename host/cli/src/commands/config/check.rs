//! `larder config check`.

use larder::{Config, Host, StoreKind};

use crate::{args::Place, failure::Failure, open, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Open each store, too, and say what is wrong with each
    #[arg(long)]
    connect: bool,
}

pub(super) async fn run(place: &Place, args: &Args) -> Result<(), Failure> {
    let config = open::config(place)?;
    let plan = config.plan()?;
    let (kv, blobs) = (plan.stores(StoreKind::Kv).count(), plan.stores(StoreKind::Blob).count());
    output::line(format_args!("the configuration is right: {kv} key-value and {blobs} blob stores"))?;
    for warning in plan.warnings() {
        output::line(format_args!("warning: {warning}"))?;
    }
    if !args.connect {
        return Ok(());
    }
    let mut worst: Option<Failure> = None;
    for name in [StoreKind::Kv, StoreKind::Blob].into_iter().flat_map(|kind| plan.stores(kind)) {
        match connect(&config, name).await {
            Ok(()) => output::line(format_args!("{name}: can be used"))?,
            Err(error) => {
                let failure = Failure::from(error);
                // Each is said; the first one decides how the command ends.
                match worst {
                    None => worst = Some(failure),
                    Some(_) => failure.print(),
                }
            }
        }
    }
    worst.map_or(Ok(()), Err)
}

/// Opens one store alone, asks for its health, and closes it.
async fn connect(config: &Config, name: &str) -> larder::Result<()> {
    let host = Host::open(config.plan()?.only(&[name])?.in_passing()).await?;
    let health = host.health().await;
    health.and(host.close().await)
}
