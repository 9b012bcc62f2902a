//! Hostile settings: what a person types wrong must end in an error that says so, never in a trap.

use larder_conformance::CaseResult;
use larder_core::{Error, ErrorKind};

use super::{
    hostile::SECTION,
    report::{Found, case},
    subject::Subject,
};

/// A setting that no plugin has.
const UNKNOWN: &str = "larder-check-no-such-setting";

/// Bytes of a value that is far too long.
const LONG_BYTES: usize = 64 << 10;

/// Values that fit no setting, or hardly any.
const GARBAGE: [&str; 8] =
    ["", " ", "\0", "-1", "99999999999999999999", "../../..", "\u{202e}\u{1f980}", "{\"a\":[1,"];

/// The cases about settings, of whatever world.
pub(super) async fn cases(subject: &Subject) -> Vec<CaseResult> {
    vec![
        case(SECTION, "a setting that it does not know is refused with its name", unknown(subject).await),
        case(SECTION, "a setting that is missing is named, or not needed", missing(subject).await),
        case(SECTION, "garbage in a setting is refused in good order", garbage(subject).await),
    ]
}

async fn unknown(subject: &Subject) -> Found {
    let mut settings = subject.options.settings.clone();
    settings.push((UNKNOWN.to_owned(), "x".to_owned()));
    match subject.start_with(&settings).await {
        Ok(()) => Err(format!("it started with a setting `{UNKNOWN}`, which it can't know")),
        Err(error) if error.kind() == ErrorKind::Config && error.chain().contains(UNKNOWN) => Ok(()),
        Err(error) if error.kind() == ErrorKind::Config => {
            Err(format!("the error does not name the setting `{UNKNOWN}`: {}", error.chain()))
        }
        Err(error) => Err(format!("it is `{}`, not `config`: {}", error.kind(), error.chain())),
    }
}

async fn missing(subject: &Subject) -> Found {
    let given = &subject.options.settings;
    for (left_out, _) in given {
        let settings: Vec<_> = given.iter().filter(|(name, _)| name != left_out).cloned().collect();
        match subject.start_with(&settings).await {
            Err(error) if !is_orderly(&error) => {
                return Err(format!("without `{left_out}` it is `{}`: {}", error.kind(), error.chain()));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn garbage(subject: &Subject) -> Found {
    let long = "x".repeat(LONG_BYTES);
    let given = &subject.options.settings;
    for (at, (name, _)) in given.iter().enumerate() {
        for value in GARBAGE.into_iter().chain([long.as_str()]) {
            let mut settings = given.clone();
            if let Some((_, old)) = settings.get_mut(at) {
                value.clone_into(old);
            }
            match subject.start_with(&settings).await {
                Err(error) if !is_orderly(&error) => {
                    let shown = super::calls::shown(value);
                    return Err(format!(
                        "with `{name}` = {shown} it is `{}`: {}",
                        error.kind(),
                        error.chain()
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A plugin may find out late: by a service that is not there, or a grant that is missing.
fn is_orderly(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Config
            | ErrorKind::Invalid
            | ErrorKind::Unsupported
            | ErrorKind::Denied
            | ErrorKind::Unavailable
    )
}
