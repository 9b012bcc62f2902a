use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp(1_000_000);

fn rules() -> SupervisionRules {
    SupervisionRules {
        strikes_max: 5,
        backoff: Duration::from_secs(1),
        backoff_max: Duration::from_secs(3),
        forgive_after: Duration::from_secs(100),
        ..SupervisionRules::default()
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(START.0 + seconds * 1_000)
}

fn strike(standing: &mut Standing, now: Timestamp) -> Verdict {
    standing.strike(now, &rules(), 1.0, "it trapped")
}

#[test]
fn the_first_strike_costs_no_time_and_each_further_one_twice_as_much_up_to_the_longest() {
    let mut standing = Standing::new(START);
    assert_eq!(strike(&mut standing, at(0)), Verdict::GoOn);
    assert_eq!(standing.admit(at(0)), Admission::Granted);
    assert_eq!(strike(&mut standing, at(0)), Verdict::BackOff(Duration::from_secs(1)));
    assert_eq!(standing.admit(Timestamp(at(1).0 - 1)), Admission::Later(Duration::from_millis(1)));
    assert_eq!(standing.admit(at(1)), Admission::Resumed);
    assert_eq!(standing.admit(at(1)), Admission::Granted);
    assert_eq!(strike(&mut standing, at(1)), Verdict::BackOff(Duration::from_secs(2)));
    assert_eq!(standing.admit(at(3)), Admission::Resumed);
    assert_eq!(strike(&mut standing, at(3)), Verdict::BackOff(Duration::from_secs(3)));
    assert_eq!(standing.admit(at(6)), Admission::Resumed);
    assert_eq!(strike(&mut standing, at(6)), Verdict::Quarantine);
    let never = Admission::Never { since: at(6), why: "it trapped".to_owned() };
    assert_eq!(standing.admit(at(1_000_000)), never);
    standing.release(at(7));
    assert_eq!(standing.admit(at(7)), Admission::Granted);
    assert_eq!(standing.strikes(at(7), &rules()), 0);
}

#[test]
fn news_of_a_failure_that_is_known_is_no_further_strike() {
    let mut standing = Standing::new(START);
    strike(&mut standing, at(0));
    strike(&mut standing, at(0));
    for _ in 0..10 {
        assert_eq!(strike(&mut standing, at(0)), Verdict::Known);
    }
    assert_eq!(standing.strikes(at(0), &rules()), 2);
}

#[test]
fn good_time_forgives_strikes_one_by_one_and_a_back_off_is_no_good_time() {
    let mut standing = Standing::new(START);
    strike(&mut standing, at(0));
    strike(&mut standing, at(0));
    assert_eq!(standing.strikes(at(500), &rules()), 2, "nothing served since");
    assert_eq!(standing.admit(at(500)), Admission::Resumed);
    assert_eq!(standing.strikes(at(599), &rules()), 2);
    assert_eq!(standing.strikes(at(600), &rules()), 1);
    assert_eq!(standing.strikes(at(700), &rules()), 0);
    assert_eq!(strike(&mut standing, at(700)), Verdict::GoOn);
}

#[test]
fn a_clock_that_is_set_back_makes_no_back_off_longer_than_it_was() {
    let mut standing = Standing::new(START);
    strike(&mut standing, at(3_600));
    strike(&mut standing, at(3_600));
    assert_eq!(standing.admit(at(10)), Admission::Later(Duration::from_secs(1)));
    assert_eq!(standing.admit(at(11)), Admission::Resumed);
}

#[test]
fn chance_takes_at_most_half_of_a_back_off() {
    for (chance, millis) in [(0.0, 500), (0.5, 750), (1.0, 1_000), (-1.0, 500), (7.0, 1_000)] {
        let mut standing = Standing::new(START);
        standing.strike(at(0), &rules(), chance, "it trapped");
        let verdict = standing.strike(at(0), &rules(), chance, "it trapped");
        assert_eq!(verdict, Verdict::BackOff(Duration::from_millis(millis)));
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_back_off_ends_in_time_and_a_quarantine_never_by_itself(
        steps in prop::collection::vec((0_u64..200_000, any::<bool>(), 0.0_f64..1.0), 1..80),
        strikes_max in 1_u32..8,
    ) {
        let rules = SupervisionRules { strikes_max, ..rules() };
        let (mut standing, mut now) = (Standing::new(START), START);
        for (millis, fails, chance) in steps {
            now = Timestamp(now.0 + millis);
            let was_quarantined = standing.is_quarantined();
            let admission = standing.admit(now);
            prop_assert_eq!(was_quarantined, matches!(admission, Admission::Never { .. }));
            if let Admission::Later(left) = admission {
                prop_assert!(left <= rules.backoff_max && !left.is_zero());
                let mut then = standing.clone();
                prop_assert_eq!(then.admit(now.after(left)), Admission::Resumed);
            } else if fails && !was_quarantined {
                let before = standing.strikes(now, &rules);
                let verdict = standing.strike(now, &rules, chance, "it trapped");
                prop_assert_eq!(standing.strikes, before + 1, "a strike that was admitted counts once");
                prop_assert_eq!(verdict == Verdict::Quarantine, before + 1 >= strikes_max);
            }
        }
    }
}
