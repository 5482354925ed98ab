//! The fuzz target for all readers of files and messages. `RUNTIME_MODULE_READER` selects one.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use runtime_module_nix::fuzz::{READERS, Reader};

/// The reader, and a folder in memory that replaces the machine's root.
static BENCH: OnceLock<(Reader, PathBuf)> = OnceLock::new();

fn bench() -> (Reader, PathBuf) {
    let name = std::env::var("RUNTIME_MODULE_READER").expect("RUNTIME_MODULE_READER names a reader");
    let reader = READERS.iter().find(|reader| reader.name == name);
    let root = PathBuf::from(format!("/dev/shm/runtime-module-fuzz-{}", std::process::id()));
    let reader = *reader.unwrap_or_else(|| panic!("there is no reader {name}"));
    for file in reader.file.into_iter().chain(reader.companion.map(|(file, _)| file)) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    }
    if let Some((file, text)) = reader.companion {
        fs::write(root.join(file), text).expect("a file");
    }
    (reader, root)
}

fuzz_target!(|bytes: &[u8]| {
    let (reader, root) = BENCH.get_or_init(bench);
    if let Some(file) = reader.file {
        fs::write(root.join(file), (reader.encode)(bytes)).expect("a file");
    }
    (reader.read)(root, bytes);
});
