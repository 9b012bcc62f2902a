//! A project, put together from what the build embedded.
//!
//! A template whose name ends in `.in` has `{{placeholders}}`, and loses that ending. Where `common` and the kind have
//! a file of the same name, the kind's text comes first. `next-steps.txt` is printed, not written.

use larder::{Error, ErrorKind};

use super::{Kind, Language, name::PluginName};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The file of a template that is printed in the end, a line for each step.
const NEXT_STEPS: &str = "next-steps.txt";

/// What is written, and what is said then.
#[derive(Debug)]
pub(super) struct Project {
    /// Texts by their paths within the project, with `/`.
    pub(super) files: Vec<(String, String)>,
    /// What to type next, in the project's folder.
    pub(super) next_steps: Vec<String>,
}

impl Project {
    /// Puts a project together.
    ///
    /// # Errors
    /// `invalid` where there is no such kind in that language, with those that there are.
    pub(super) fn new(name: &PluginName, language: Language, kind: Kind) -> Result<Self, Error> {
        if !is_supported(language, kind) {
            let kinds: Vec<&str> = kinds(language).map(Kind::as_str).collect();
            let offered = if kinds.is_empty() {
                format!("there are no templates for {} in this build", language.name())
            } else {
                format!("in {} there are: {}", language.name(), kinds.join(", "))
            };
            let text = format!("no template of kind `{}`; {offered}", kind.as_str());
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        let mut project = Self { files: Vec::new(), next_steps: Vec::new() };
        for part in [kind.as_str(), "common"] {
            for (path, text) in templates(language, part) {
                let (path, text) = match path.strip_suffix(".in") {
                    Some(path) => (path, substituted(text, name, language, kind)),
                    None => (path, text.to_owned()),
                };
                project.add(path, text);
            }
        }
        for (path, text) in copied(language) {
            project.add(path, text.to_owned());
        }
        project.files.sort();
        Ok(project)
    }

    fn add(&mut self, path: &str, text: String) {
        if path == NEXT_STEPS {
            self.next_steps.extend(text.lines().map(str::to_owned));
            return;
        }
        match self.files.iter_mut().find(|(known, _)| known == path) {
            Some((_, before)) => before.push_str(&text),
            None => self.files.push((path.to_owned(), text)),
        }
    }
}

impl Language {
    /// As people write it.
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::Javascript => "JavaScript",
        }
    }

    /// Its folder in `templates`.
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Javascript => "javascript",
        }
    }

    /// Where its SDK is.
    fn sdk(self) -> &'static str {
        match self {
            Self::Rust => "sdk/rust/",
            Self::Python => "sdk/python/",
            Self::Javascript => "sdk/js/",
        }
    }
}

impl Kind {
    const ALL: [Self; 5] = [Self::Kv, Self::Blob, Self::Layer, Self::BlobLayer, Self::Policy];

    /// As it is typed, and its folder in `templates`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Kv => "kv",
            Self::Blob => "blob",
            Self::Layer => "layer",
            Self::BlobLayer => "blob-layer",
            Self::Policy => "policy",
        }
    }

    /// In a sentence.
    fn sentence(self) -> &'static str {
        match self {
            Self::Kv => "a key-value backend",
            Self::Blob => "a blob backend",
            Self::Layer => "a key-value layer",
            Self::BlobLayer => "a blob layer",
            Self::Policy => "a cache policy",
        }
    }

    /// The world that its component is of.
    fn world(self) -> &'static str {
        match self {
            Self::Kv => "kv-backend",
            Self::Blob => "blob-backend",
            Self::Layer => "kv-layer",
            Self::BlobLayer => "blob-layer",
            Self::Policy => "cache-policy",
        }
    }

    /// The command that says whether the component is right.
    fn verification(self, language: Language) -> &'static str {
        match (self, language) {
            // No suite is for policies yet; this says whether the world is right.
            (Self::Policy, _) => "inspect",
            // An instance of CPython keeps a part of each call, which a longer search for leaks finds.
            (_, Language::Python) => "check --calls 100",
            _ => "check",
        }
    }
}

fn kinds(language: Language) -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(move |kind| is_supported(language, *kind))
}

fn is_supported(language: Language, kind: Kind) -> bool {
    templates(language, kind.as_str()).next().is_some()
}

/// The templates of a language in one of its folders, by their paths in it.
fn templates(language: Language, part: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    TEMPLATES.iter().filter_map(move |(path, text)| {
        let path = path.strip_prefix(language.folder())?.strip_prefix('/')?;
        Some((path.strip_prefix(part)?.strip_prefix('/')?, *text))
    })
}

fn copied(language: Language) -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_wanted = move |path: &str| path.starts_with("wit/") || path.starts_with(language.sdk());
    COPIED.iter().copied().filter(move |(path, _)| is_wanted(path))
}

fn substituted(text: &str, name: &PluginName, language: Language, kind: Kind) -> String {
    let placeholders = [
        ("{{name}}", name.as_str()),
        ("{{module}}", &name.module()),
        ("{{kind}}", kind.sentence()),
        ("{{world}}", kind.world()),
        ("{{verify}}", kind.verification(language)),
        ("{{larder}}", env!("CARGO_PKG_VERSION")),
    ];
    placeholders.iter().fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_project() -> impl Iterator<Item = (Language, Kind, Project)> {
        let name = PluginName::parse("kv-shelf").unwrap();
        [Language::Rust, Language::Python, Language::Javascript].into_iter().flat_map(move |language| {
            let name = name.clone();
            kinds(language).map(move |kind| (language, kind, Project::new(&name, language, kind).unwrap()))
        })
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        for (language, kind, project) in every_project() {
            for (path, text) in project.files.iter().filter(|(path, _)| !path.starts_with("sdk/")) {
                assert!(!path.ends_with(".in"), "{path}");
                let placeholder = text.split("{{").nth(1).and_then(|rest| rest.split_once("}}"));
                assert_eq!(placeholder, None, "{path} for {language:?} and {kind:?}");
            }
        }
    }

    #[test]
    fn every_project_has_what_its_author_needs() {
        let mut count = 0;
        for (language, kind, project) in every_project() {
            let has = |path: &str| project.files.iter().any(|(known, _)| known.starts_with(path));
            for path in ["README.md", ".gitignore", "wit/worlds.wit", language.sdk()] {
                assert!(has(path), "no {path} for {language:?} and {kind:?}");
            }
            assert!(project.next_steps.len() > 1, "{language:?} and {kind:?}");
            count += 1;
        }
        assert!(count >= 5, "the templates were not embedded");
    }

    #[test]
    fn the_copy_of_the_sdk_stands_alone() {
        let (_, manifest) = COPIED.iter().find(|(path, _)| *path == "sdk/rust/Cargo.toml").unwrap();
        assert!(manifest.contains("wit-bindgen") && manifest.contains("features = ["), "{manifest}");
        assert!(!manifest.contains("workspace"), "{manifest}");
    }
}
