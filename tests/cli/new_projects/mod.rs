//! `larder plugin new` as a new user meets it: each project is written, then built and checked by the very lines of its
//! README, in a shell.
//!
//! A line that ends in `# once` installs something: that is `cargo xtask`'s part here, and the line is left out. What it
//! would have installed, and folders of build results, are links into the workspace's target folder, so that a run
//! costs little; a project that is as it was is not written again, and so not built again.

#![expect(clippy::unwrap_used, reason = "the machinery of the tests fails the test")]

mod keep;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use larder_guests::Toolchain;
use larder_tests::{larder_binary, workspace_root};

use crate::command::Larder;

/// How a language's projects are built here.
struct Language {
    name: &'static str,
    /// Which of the README's blocks of commands is run; the first is 0.
    block: fn() -> usize,
    /// Names in the project, and what they are links to below the target folder.
    links: fn() -> Vec<(&'static str, PathBuf)>,
    /// Whether the build itself finds out that nothing has changed.
    builds_incrementally: bool,
}

const RUST: Language = Language {
    name: "rust",
    block: || match toolchain() {
        Toolchain::Installed { .. } => 0,
        Toolchain::Debian { .. } => 1,
    },
    // The folder of the guests: std and the binding macro are compiled there already.
    links: || vec![("target", PathBuf::from(format!("guests-{}", toolchain().tag())))],
    builds_incrementally: true,
};

const PYTHON: Language = Language {
    name: "python",
    block: || 0,
    links: || vec![(".venv", PathBuf::from("python"))],
    builds_incrementally: false,
};

const JAVASCRIPT: Language = Language {
    name: "javascript",
    block: || 0,
    // What builds the shipped plugin builds these.
    links: || vec![("node_modules", PathBuf::from("javascript/kv-redact/node_modules"))],
    builds_incrementally: false,
};

/// A test for each pair: they run apart.
macro_rules! projects {
    ($($test:ident: $language:expr, $kind:literal;)+) => {
        $(#[test]
        fn $test() {
            a_new_project_is_what_its_readme_says(&$language, $kind);
        })+
    };
}

projects! {
    a_key_value_backend_in_rust: RUST, "kv";
    a_blob_backend_in_rust: RUST, "blob";
    a_layer_in_rust: RUST, "layer";
    a_blob_layer_in_rust: RUST, "blob-layer";
    a_policy_in_rust: RUST, "policy";
    a_key_value_backend_in_python: PYTHON, "kv";
    a_blob_backend_in_python: PYTHON, "blob";
    a_layer_in_python: PYTHON, "layer";
    a_blob_layer_in_python: PYTHON, "blob-layer";
    a_policy_in_python: PYTHON, "policy";
    a_key_value_backend_in_javascript: JAVASCRIPT, "kv";
    a_blob_backend_in_javascript: JAVASCRIPT, "blob";
    a_layer_in_javascript: JAVASCRIPT, "layer";
    a_blob_layer_in_javascript: JAVASCRIPT, "blob-layer";
    a_policy_in_javascript: JAVASCRIPT, "policy";
}

fn toolchain() -> Toolchain {
    Toolchain::find().expect("`cargo xtask` has installed what compiles plugins")
}

fn a_new_project_is_what_its_readme_says(language: &Language, kind: &str) {
    let name = format!("new-{}-{kind}", language.name);
    let larder = Larder::new();
    larder.done(&["plugin", "new", &name, "--lang", language.name, "--kind", kind]);
    let target = workspace_root().join("target");
    let project = target.join("tmp").join("new-projects").join(&name);
    let kept = keep::keep(&larder.path().join(&name), &project);
    for (name, to) in (language.links)() {
        keep::link(&project.join(name), &target.join(to));
    }
    if language.name == "rust" {
        keep::lock(&workspace_root().join("plugins").join("Cargo.lock"), &project);
    }
    let readme = std::fs::read_to_string(project.join("README.md")).unwrap();
    let steps = steps(&readme, (language.block)());
    let built = project.join(".built");
    let is_built = kept == keep::Kept::AsItWas && built.exists() && !language.builds_incrementally;
    for step in steps.iter().filter(|step| !is_built || step.starts_with("larder ")) {
        run(step, &project);
    }
    std::fs::write(built, "").unwrap();
}

/// The commands of a block, those that go on over several lines put together.
fn steps(readme: &str, block: usize) -> Vec<String> {
    let block = readme.split("```sh\n").nth(block + 1).and_then(|rest| rest.split("```").next());
    let block = block.expect("the README has this block of commands").replace("\\\n", " ");
    let lines = block.lines().filter(|line| !line.trim_end().ends_with("# once"));
    let steps: Vec<String> =
        lines.map(|line| line.split("   #").next().unwrap_or_default().to_owned()).collect();
    assert!(steps.iter().any(|step| step.starts_with("larder plugin ")) || steps.len() > 1, "{steps:?}");
    steps
}

/// Runs a step in a shell, in an environment of which cargo's own part was taken out.
fn run(step: &str, project: &Path) {
    let mut command = Command::new("sh");
    larder_guests::clean_environment(&mut command);
    let larder = larder_binary();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = [larder.parent().unwrap().to_path_buf()].into_iter().chain(std::env::split_paths(&paths));
    command.env("PATH", std::env::join_paths(paths).unwrap()).current_dir(project);
    let output = command.args(["-eu", "-c", step]).output().unwrap();
    assert!(
        output.status.success(),
        "in {}: {step}: {}\n{}{}",
        project.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_pair_without_a_template_is_refused_with_those_that_there_are() {
    let mut written = 0;
    for language in ["rust", "python", "javascript"] {
        for kind in ["kv", "blob", "layer", "blob-layer", "policy"] {
            let larder = Larder::new();
            let run = larder.run(&["plugin", "new", "kv-mine", "--lang", language, "--kind", kind]);
            match run.code {
                0 => written += 1,
                code => {
                    assert_eq!(code, 3, "{}", run.err);
                    assert!(run.err.contains("there are"), "{}", run.err);
                    assert!(!larder.path().join("kv-mine").exists());
                }
            }
        }
    }
    assert!(written >= 5, "{written}");
}

#[test]
fn a_name_that_no_package_can_have_is_refused_with_one_that_would_do() {
    let larder = Larder::new();
    for (name, says) in [("KV_Mine", "`kv-mine` would do"), ("../kv", "`kv` would do"), ("std", "is taken")] {
        let run = larder.run(&["plugin", "new", name, "--lang", "rust", "--kind", "kv"]);
        assert_eq!(run.code, 2, "{}", run.err);
        assert!(run.err.contains(says), "{}", run.err);
    }
    assert_eq!(std::fs::read_dir(larder.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_overwritten() {
    let larder = Larder::new();
    let new = ["plugin", "new", "kv-mine", "--lang", "rust", "--kind", "kv"];
    std::fs::create_dir(larder.path().join("kv-mine")).unwrap();
    // An empty folder is as good as none.
    assert!(larder.done(&new).contains("cd kv-mine"));
    larder.write("kv-mine/src/lib.rs", "mine");
    larder.refused(&new, 3, &["kv-mine is not empty", "--into"]);
    assert_eq!(larder.read("kv-mine/src/lib.rs"), b"mine");
    larder.write("file", "");
    let into = |folder| [&new[..], &["--into", folder]].concat();
    larder.refused(&into("file"), 3, &["file is no folder"]);
    assert!(larder.done(&into("deep/down here")).contains("cd 'deep/down here'"));
    assert!(larder.path().join("deep/down here/Cargo.toml").is_file());
}
