use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn rules() -> SupervisionRules {
    SupervisionRules { strikes_max: 3, ..SupervisionRules::default() }
}

fn fail(record: &Record, times: u32) {
    for n in 0..u64::from(times) {
        // Each after the back-off of the one before.
        let now = Timestamp(NOW.0 + n * 120_000);
        record.admit(now).unwrap();
        record.strike(now, &rules(), "p", "it trapped");
    }
}

#[test]
fn all_plugins_with_the_same_component_share_its_record_and_its_bits() {
    let registry = Registry::default();
    let (one, other) = (Arc::new(Attention::default()), Arc::new(Attention::default()));
    let record = registry.record("aa", NOW);
    record.watch(&one);
    registry.record("aa", NOW).watch(&other);
    fail(&record, 2);
    assert!(one.is_raised(Reason::BackingOff) && other.is_raised(Reason::BackingOff));
    let late = Timestamp(NOW.0 + 500_000);
    record.admit(late).unwrap();
    assert!(one.is_clear() && other.is_clear());
    record.strike(late, &rules(), "p", "it trapped");
    assert!(one.is_raised(Reason::Quarantined) && !one.is_raised(Reason::BackingOff));
    let error = registry.record("aa", NOW).admit(late).unwrap_err().into_error("aa");
    assert_eq!(error.kind(), ErrorKind::Plugin);
    assert!(crate::supervision::is_refusal(&error));
    record.release(late);
    assert!(one.is_clear() && other.is_clear());
}

#[test]
fn a_plugin_that_turns_to_another_component_is_not_told_of_the_first() {
    let registry = Registry::default();
    let attention = Arc::new(Attention::default());
    let (bad, good) = (registry.record("bad", NOW), registry.record("good", NOW));
    bad.watch(&attention);
    fail(&bad, 3);
    bad.unwatch(&attention);
    assert!(attention.is_raised(Reason::Quarantined), "until the new one is watched");
    good.watch(&attention);
    assert!(attention.is_clear());
}

#[test]
fn a_quarantine_is_remembered_while_nobody_uses_the_component() {
    let registry = Registry::default();
    fail(&registry.record("bad", NOW), 3);
    drop(registry.record("clean", NOW));
    assert!(registry.record("bad", NOW).admit(NOW).is_err());
    let known: Vec<String> = registry.0.lock().unwrap().keys().cloned().collect();
    assert_eq!(known, ["bad"], "the clean one is forgotten");
}

#[test]
fn chance_is_spread_from_nothing_to_one() {
    assert!(fraction(0) < f64::EPSILON);
    assert!((fraction(u64::MAX) - 1.0).abs() < f64::EPSILON);
    assert!((fraction(1 << 63) - 0.5).abs() < 1e-9);
}
