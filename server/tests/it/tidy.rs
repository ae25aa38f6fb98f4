//! The rules of the tree: who may depend on whom, and which words stand in which files.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The most lines of a file.
const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The crates' own sources, by path from the root, with their text.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                walk(&entry, root, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(path, fs::read_to_string(&entry).unwrap());
            }
        }
    }
    let root = root();
    let mut found = BTreeMap::new();
    for name in ["domain", "engine", "app", "frontend", "simulator", "server", "migrations", "end2end"] {
        walk(&root.join(name), &root, &mut found);
    }
    assert!(found.len() > 100, "the sources were not found");
    found
}

/// What of a file is product: what stands before its tests, without comments.
fn product(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

fn only_in(word: &str, allowed: &[&str]) {
    let stray: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| path.contains("/src/") && !allowed.iter().any(|place| path.starts_with(place)))
        .filter(|(_, text)| product(text).any(|line| line.contains(word)))
        .map(|(path, _)| path)
        .collect();
    assert!(stray.is_empty(), "`{word}` belongs in {allowed:?} alone, and stands in {stray:?}");
}

#[test]
fn crates_depend_downwards() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", &[][..]),
        ("migrations", &[]),
        ("simulator", &[]),
        ("engine", &["domain", "migrations", "simulator"]),
        ("app", &["domain", "engine"]),
        ("frontend", &["app"]),
        ("server", &["app", "domain", "engine", "migrations", "simulator"]),
    ]);
    let metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    for package in &metadata.packages {
        let Some(allowed) = allowed.get(package.name.as_str()) else { continue };
        for dependency in package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal) {
            let name = dependency.name.as_str();
            assert!(!ours.contains(name) || allowed.contains(&name), "{} must not depend on {name}", package.name);
            let testing = package.name == "engine" && ["migrations", "simulator"].contains(&name);
            assert!(!testing || dependency.optional, "engine needs {name} for its tests alone");
        }
    }
}

#[test]
fn each_word_has_its_place() {
    only_in("sea_orm::", &["engine/src/", "migrations/src/"]);
    only_in("redis::", &["engine/src/", "server/src/application.rs", "server/src/health.rs", "server/src/worker.rs"]);
    // The command line is a client of the API; what the server itself asks for over HTTP is the engine's business.
    only_in("reqwest::", &["engine/src/", "server/src/remote/", "simulator/src/"]);
    only_in("apalis::", &["server/src/worker.rs"]);
    only_in("std::env", &["server/src/config.rs", "engine/src/testing", "end2end/"]);
    only_in("Utc::now", &["engine/src/clock.rs", "simulator/src/"]);
    only_in("Uuid::now_v7", &["engine/src/clock.rs", "engine/src/limits.rs", "engine/src/testing"]);
    only_in(
        "StatusCode::from_u16",
        &["server/src/problem.rs", "server/src/api/once.rs", "app/src/api.rs", "simulator/src/", "engine/src/twilio"],
    );
}

#[test]
fn the_domain_does_nothing_but_think() {
    let stray: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("domain/src/"))
        .filter(|(_, text)| {
            product(text).any(|line| {
                ["std::fs", "std::net", "tokio::", "async fn", "SystemTime"].iter().any(|word| line.contains(word))
            })
        })
        .map(|(path, _)| path)
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
}

#[test]
fn files_are_named_and_sized_alike() {
    for (path, text) in sources() {
        assert!(!path.ends_with("/mod.rs"), "{path}: a module's file has the module's name");
        for drawer in ["utils", "common", "helpers", "misc"] {
            assert!(!path.ends_with(&format!("/{drawer}.rs")), "{path}: a drawer");
        }
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines; more than {LINES_MAX} are two files");
    }
}
