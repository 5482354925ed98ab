//! Feeds the stored corpus of the fuzz targets to the readers again, so that no fixed crash returns.

use std::fs;
use std::path::Path;

use runtime_module_nix::fuzz::{READERS, Reader};

/// Feeds bytes to a reader as its fuzz target does.
fn feed(root: &Path, reader: &Reader, bytes: &[u8]) {
    if let Some((file, text)) = reader.companion {
        put(&root.join(file), text.as_bytes());
    }
    if let Some(file) = reader.file {
        put(&root.join(file), &(reader.encode)(bytes));
    }
    (reader.read)(root, bytes);
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

#[test]
fn readers_survive_their_corpus_and_its_prefixes() {
    let scratch = tempfile::tempdir().expect("a temporary folder");
    for reader in READERS {
        // Each reader gets its own root, so that the files of another reader cannot affect it.
        let root = scratch.path().join(reader.name);
        let corpus = format!("{}/fuzz/corpus/{}", env!("CARGO_MANIFEST_DIR"), reader.name);
        let entries = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{corpus}: {error}"));
        let mut inputs = 0;
        for entry in entries {
            let bytes = fs::read(entry.expect("an entry").path()).expect("an input");
            feed(&root, &reader, &bytes);
            for length in 0..bytes.len() {
                feed(&root, &reader, &bytes[..length]);
            }
            inputs += 1;
        }
        assert!(inputs > 0, "{corpus} is empty");
    }
}

#[test]
fn every_corpus_has_a_reader() {
    let folder = format!("{}/fuzz/corpus", env!("CARGO_MANIFEST_DIR"));
    for entry in fs::read_dir(folder).expect("the corpus") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        assert!(
            READERS.iter().any(|reader| reader.name == name),
            "no reader is called {name}"
        );
    }
}
