//! The deeds, with the standard library and on WASI itself.

use std::{env, fs, io::Read as _};

use larder_sdk::{Error, Result, info};
use wasip2::{clocks::monotonic_clock::Pollable, random::random::get_random_bytes};

/// Would be a line of its own, in colours, at the beginning of the line, behind a bell.
const FORGED: &str = "harmless\nERROR forged: line\r\u{1b}[2J\u{1b}[31mred\u{7}\u{9b}31m\u{2028}end";

pub(crate) fn act(key: &str) -> Result<String> {
    let words: Vec<&str> = key.split(' ').collect();
    match words[..] {
        ["env"] => Ok(env::vars().map(|(name, value)| format!("{name}={value}\n")).collect()),
        ["arguments"] => Ok(env::args().map(|argument| format!("{argument}\n")).collect()),
        ["input"] => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input).map_err(refused).map(|_| input)
        }
        ["here"] => env::current_dir().map(|here| here.display().to_string()).map_err(refused),
        ["list", path] => {
            let entries = fs::read_dir(path).map_err(refused)?;
            entries
                .map(|entry| Ok(entry.map_err(refused)?.file_name().to_string_lossy().into_owned()))
                .collect()
        }
        ["read", path] => fs::read_to_string(path).map_err(refused),
        ["write", path] => done(fs::write(path, "spy")),
        ["cut", path] => done(fs::File::create(path)),
        ["remove", path] => done(fs::remove_file(path)),
        ["make", path] => done(fs::create_dir(path)),
        ["move", from, to] => done(fs::rename(from, to)),
        ["link", from, to] => done(fs::hard_link(from, to)),
        ["point", at, from] =>
        {
            #[expect(deprecated, reason = "the other one is not stable for this target")]
            done(fs::soft_link(at, from))
        }
        ["exit", code] => std::process::exit(code.parse().unwrap_or(1)),
        ["say"] => {
            info!("{FORGED}");
            info!("{}", "x".repeat(1 << 20));
            #[expect(clippy::print_stderr, reason = "the host makes log lines of it")]
            {
                eprintln!("{FORGED}");
                eprintln!("{}", "x".repeat(1 << 20));
            }
            Ok("said".to_owned())
        }
        ["err"] => Err(Error::other(FORGED)),
        ["forge"] => {
            forged().block();
            Ok("used".to_owned())
        }
        ["forge-drop"] => {
            drop(forged());
            Ok("dropped".to_owned())
        }
        ["random"] => Ok(get_random_bytes(1 << 30).len().to_string()),
        _ => Err(Error::invalid("no such deed")),
    }
}

fn done<T>(done: std::io::Result<T>) -> Result<String> {
    done.map(|_| "done".to_owned()).map_err(refused)
}

fn refused(error: std::io::Error) -> Error {
    Error::denied(error.to_string())
}

/// A handle that nobody gave it.
fn forged() -> Pollable {
    #[expect(unsafe_code, reason = "to use a handle that it does not have is the attack")]
    // SAFETY: it is not safe; the host ends the call for it.
    unsafe {
        Pollable::from_handle(77_777)
    }
}
