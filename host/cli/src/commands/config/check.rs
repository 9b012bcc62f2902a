//! `larder config check`.

use larder::StoreKind;

use crate::{args::Place, failure::Failure, open, output};

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    let plan = open::config(place)?.plan()?;
    let (kv, blobs) = (plan.stores(StoreKind::Kv).count(), plan.stores(StoreKind::Blob).count());
    output::line(format_args!("the configuration is right: {kv} key-value and {blobs} blob stores"))?;
    for warning in plan.warnings() {
        output::line(format_args!("warning: {warning}"))?;
    }
    Ok(())
}
