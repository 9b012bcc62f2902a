//! `larder migrate`.

mod bar;
mod places;

use std::{num::NonZeroU64, time::Duration};

use larder::{Host, StoreKind, migrate};

use self::bar::Bar;
use crate::{args::Place, failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the entries or blobs are: a URL, such as file:///var/lib/fetcher
    #[arg(long, value_name = "URL", conflicts_with_all = ["from_store", "store", "url"])]
    from: Option<String>,
    /// The same, as a store of the configuration
    #[arg(long, value_name = "NAME", required_unless_present = "from", conflicts_with_all = ["store", "url"])]
    from_store: Option<String>,
    /// Where they go: a URL
    #[arg(long, value_name = "URL", conflicts_with = "to_store")]
    to: Option<String>,
    /// The same, as a store of the configuration
    #[arg(long, value_name = "NAME", required_unless_present = "to")]
    to_store: Option<String>,
    /// What URLs keep that can keep either: kv or blob [default: as the other side; else kv]
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<StoreKind>,
    /// Add what the target does not have; end where it has something else under the same key
    #[arg(long, conflicts_with = "overwrite")]
    merge: bool,
    /// Replace what the target has under the same keys; the rest of it stays
    #[arg(long)]
    overwrite: bool,
    /// Read both again and compare them, by count and digest of ranges
    #[arg(long)]
    verify: bool,
    /// Read and check everything, and write nothing
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// At most so many entries or blobs a second
    #[arg(long, value_name = "NUMBER")]
    entries_per_second: Option<NonZeroU64>,
    /// At most so many bytes a second, such as 10MiB
    #[arg(long, value_name = "SIZE", value_parser = input::size)]
    bytes_per_second: Option<NonZeroU64>,
    /// How far expiries may be apart to count as equal [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = input::duration)]
    expiry_tolerance: Option<Duration>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(place: &Place, args: Args) -> Result<(), Failure> {
    let places = places::read(place, &args)?;
    places.plan.check_migration(&places.source, &places.target)?;
    places.plan.check_source(&places.source)?;
    let host = Host::open(places.plan.in_passing()).await?;
    let mut bar = Bar::new();
    let options = options(&args, bar.is_shown());
    let done =
        migrate::run(&host, &places.source, &places.target, &options, &mut |progress| bar.show(progress))
            .await;
    bar.clear();
    let closed = host.close().await;
    let report = done?;
    closed?;
    match args.json {
        true => output::line(serde_json::json!(report))?,
        false => output::text(&report.to_string())?,
    }
    if report.is_equal() { Ok(()) } else { Err(Failure::CheckFailed) }
}

fn options(args: &Args, watched: bool) -> migrate::Options {
    let default = migrate::Options::default();
    migrate::Options {
        existing: match (args.merge, args.overwrite) {
            (true, _) => migrate::Existing::Merge,
            (_, true) => migrate::Existing::Overwrite,
            _ => migrate::Existing::Refuse,
        },
        mode: if args.dry_run { migrate::Mode::Dry } else { migrate::Mode::Copy },
        verify: if args.verify { migrate::Verify::Ranges } else { migrate::Verify::No },
        // Only for those who watch: it costs a walk through the keys.
        totals: if watched { migrate::Totals::Count } else { migrate::Totals::Unknown },
        entries_per_second: args.entries_per_second,
        bytes_per_second: args.bytes_per_second,
        expiry_tolerance: args.expiry_tolerance.unwrap_or(default.expiry_tolerance),
        ..default
    }
}

fn kind(text: &str) -> Result<StoreKind, String> {
    match text {
        "kv" => Ok(StoreKind::Kv),
        "blob" => Ok(StoreKind::Blob),
        _ => Err("expected kv or blob".to_owned()),
    }
}
