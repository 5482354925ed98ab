//! Evaluation results on disk, one file for each key.
//!
//! A file is valid if its checksum is right and it contains our schema version and the requested
//! key. Any other file counts as missing. Files are replaced atomically. The caller must check that
//! the store paths of a result still exist.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Key;
use crate::cache_files::replace;
use crate::clock::now;
use crate::evaluation::Evaluated;
use crate::fault::Point;
use crate::locations::Locations;
use crate::timings::Counters;

/// Schema version of the files.
const SCHEMA: u64 = 1;

/// Maximum number of results, and maximum time since a result was last used.
const MOST: usize = 200;
const AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Number of digits of the subject in a file name.
const SUBJECT: usize = 16;

/// The cached results of this user.
#[derive(Clone, Debug)]
pub struct Results {
    folder: PathBuf,
}

/// A cached result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CachedResult {
    schema: u64,
    /// Digest of the key.
    pub key: String,
    /// A digest of each component of the key.
    pub parts: BTreeMap<String, String>,
    pub host: String,
    pub modules: Vec<String>,
    /// Time at which the result was stored, in seconds since 1970.
    pub made: u64,
    /// Duration of the evaluation.
    pub milliseconds: f64,
    /// The result without its counters and without the text of its lock. A hit evaluates nothing,
    /// so there is nothing to count.
    pub evaluated: Evaluated,
}

/// The outcome of a lookup.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    Hit(Box<CachedResult>),
    /// The reason why there is no result.
    Miss(String),
}

impl Results {
    /// Opens the results of this user. Fails if another user could change them.
    pub fn open(locations: &Locations) -> Result<Self, String> {
        let folder = locations.results();
        let shown = folder.display();
        if !folder.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|error| format!("cannot create {shown}: {error}"))?;
        }
        let user = unix::unistd::geteuid().as_raw();
        match writable_by_others(&folder, user) {
            None => Ok(Self { folder }),
            Some(path) => Err(format!("other users can write to {}", path.display())),
        }
    }

    pub fn lookup(&self, key: &Key) -> Lookup {
        match read(&self.file(key))
            .filter(|entry| entry.key == key.digest && entry.parts == key.parts)
        {
            Some(entry) => Lookup::Hit(Box::new(entry)),
            None => Lookup::Miss(self.why(key)),
        }
    }

    /// Records that a result was used.
    pub fn used(&self, key: &Key) {
        // If this fails, the only effect is that the result expires earlier.
        let _ = fs::File::options()
            .append(true)
            .open(self.file(key))
            .and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Stores a result. An unwritable cache must not fail the command, so errors are ignored.
    pub fn keep(
        &self,
        key: &Key,
        host: &str,
        modules: &[String],
        milliseconds: f64,
        evaluated: &Evaluated,
    ) {
        let entry = CachedResult {
            schema: SCHEMA,
            key: key.digest.clone(),
            parts: key.parts.clone(),
            host: host.into(),
            modules: modules.to_vec(),
            made: now(),
            milliseconds,
            evaluated: Evaluated {
                counters: Counters::default(),
                lock: String::new(),
                ..evaluated.clone()
            },
        };
        let _ = self.write(&self.file(key), &entry);
        self.prune();
    }

    fn write(&self, path: &Path, entry: &CachedResult) -> Result<()> {
        let text = serde_json::to_string(entry).context("cannot write JSON")?;
        let text = format!("{text}\n{:08x}\n", crc32fast::hash(text.as_bytes()));
        replace(path, text.as_bytes(), Point::CacheResult)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Returns the reason why a key has no result: the components that differ from the closest
    /// result of the same host.
    fn why(&self, key: &Key) -> String {
        let host = key.parts.get("the host");
        let entries = self.entries();
        let nearest = entries
            .iter()
            .filter(|(_, entry)| entry.parts.get("the host") == host)
            .map(|(_, entry)| key.differences(&entry.parts))
            .min_by_key(|differences| {
                (
                    differences.contains(&"the modules"),
                    differences.len(),
                    differences.clone(),
                )
            });
        match nearest {
            None => "no result for this host yet".into(),
            Some(differences) if differences == ["the modules"] => {
                "no result with these modules yet".into()
            }
            Some(differences) if differences.is_empty() => "the file is damaged".into(),
            Some(differences) => format!("changed since: {}", differences.join(", ")),
        }
    }

    /// Returns all results, the most recently used one first.
    pub fn entries(&self) -> Vec<(SystemTime, CachedResult)> {
        let mut entries: Vec<(SystemTime, CachedResult)> = self
            .files()
            .iter()
            .filter_map(|file| Some((modified(file)?, read(file)?)))
            .collect();
        entries.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        entries
    }

    /// Returns the directory with the GC roots of the results.
    pub(super) fn roots(&self) -> PathBuf {
        self.folder.join("roots")
    }

    /// Returns the time at which each result was last used, by the digest of its key.
    pub(super) fn last_uses(&self) -> HashMap<String, SystemTime> {
        let files = self.files();
        let uses = files
            .iter()
            .filter_map(|file| Some((digest_of(file), modified(file)?)));
        uses.collect()
    }

    /// Returns the size of the files in bytes, without the store paths that the GC roots keep.
    pub fn size(&self) -> u64 {
        self.files()
            .iter()
            .filter_map(|file| fs::metadata(file).ok())
            .map(|file| file.len())
            .sum()
    }

    /// Removes all results. Returns how many there were.
    pub fn clear(&self) -> Result<usize> {
        let files = self.files();
        for file in &files {
            fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        self.prune_roots(&[])?;
        Ok(files.len())
    }

    /// Removes expired results and those above the maximum number.
    pub fn prune(&self) {
        let mut files: Vec<(SystemTime, PathBuf)> = self
            .files()
            .into_iter()
            .filter_map(|file| Some((modified(&file)?, file)))
            .collect();
        files.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        let old = |used: SystemTime| used.elapsed().is_ok_and(|age| age > AGE);
        let (kept, gone): (Vec<_>, Vec<_>) = files
            .into_iter()
            .enumerate()
            .partition(|(index, (used, _))| *index < MOST && !old(*used));
        for (_, (_, file)) in gone {
            let _ = fs::remove_file(file);
        }
        let kept: Vec<String> = kept.iter().map(|(_, (_, file))| digest_of(file)).collect();
        let _ = self.prune_roots(&kept);
    }

    fn file(&self, key: &Key) -> PathBuf {
        self.folder
            .join(format!("{}-{}.json", &key.subject[..SUBJECT], key.digest))
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect()
    }
}

/// Reads a result. Returns `None` if the file is incomplete or damaged, or has another schema.
fn read(file: &Path) -> Option<CachedResult> {
    let text = fs::read_to_string(file).ok()?;
    let (text, sum) = text.trim_end_matches('\n').rsplit_once('\n')?;
    if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(text.as_bytes()) {
        return None;
    }
    serde_json::from_str::<CachedResult>(text)
        .ok()
        .filter(|entry| entry.schema == SCHEMA)
}

/// Returns the first directory on this path that a user other than `user` and root can change, or
/// that cannot be inspected.
fn writable_by_others(folder: &Path, user: u32) -> Option<PathBuf> {
    let foreign = |path: &Path, top: bool| {
        let Ok(found) = fs::metadata(path) else {
            return true;
        };
        let sticky = found.mode() & 0o1000 != 0;
        // The directory itself must belong to `user`, so root uses only a directory that root owns.
        // Root may also own the directories above it.
        let owned = found.uid() == user || (!top && found.uid() == 0);
        !owned || (found.mode() & 0o022 != 0 && (top || !sticky))
    };
    let mut ancestors = folder.ancestors();
    let first = ancestors.next()?;
    if foreign(first, true) {
        return Some(first.to_path_buf());
    }
    // Only root can lose more than its own files, so only root checks the directories above.
    if user != 0 {
        return None;
    }
    ancestors
        .find(|path| !path.as_os_str().is_empty() && foreign(path, false))
        .map(Path::to_path_buf)
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

fn name(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Returns the digest in the name of a file.
fn digest_of(file: &Path) -> String {
    let name = name(file);
    let name = name.trim_end_matches(".json");
    name.split_once('-')
        .map_or("", |(_, digest)| digest)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::KeyComponents;
    use crate::evaluation::Derivation;

    fn key(host: &str, lock: &str) -> Key {
        let inputs = KeyComponents {
            host: host.into(),
            lock: lock.into(),
            ..KeyComponents::default()
        };
        inputs.key()
    }

    fn evaluated() -> Evaluated {
        Evaluated {
            toplevel: Some(Derivation {
                drv: "/d.drv".into(),
                out: "/d".into(),
            }),
            ..Evaluated::default()
        }
    }

    fn results(folder: &Path) -> Results {
        Results::open(&Locations::new(folder, folder.join("cache"))).expect("a cache of our own")
    }

    #[test]
    fn result_is_found_only_by_its_key() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let one = key("box", "1");
        assert_eq!(
            results.lookup(&one),
            Lookup::Miss("no result for this host yet".into())
        );
        results.keep(&one, "box", &[], 1.0, &evaluated());
        assert!(
            matches!(results.lookup(&one), Lookup::Hit(entry) if entry.evaluated == evaluated())
        );
        assert_eq!(
            results.lookup(&key("box", "2")),
            Lookup::Miss("changed since: the lock".into())
        );
        assert_eq!(
            results.lookup(&key("bare", "1")),
            Lookup::Miss("no result for this host yet".into())
        );
        assert_eq!(results.clear().expect("cleared"), 1);
        assert!(matches!(results.lookup(&one), Lookup::Miss(_)));
    }

    #[test]
    fn file_copied_to_another_key_is_a_miss() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let (one, other) = (key("box", "1"), key("box", "2"));
        results.keep(&one, "box", &[], 1.0, &evaluated());
        fs::copy(results.file(&one), results.file(&other)).expect("copied");
        assert!(matches!(results.lookup(&other), Lookup::Miss(_)));
    }

    #[test]
    fn changed_or_truncated_file_is_a_miss() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let key = key("box", "1");
        results.keep(&key, "box", &["a".into()], 1.0, &evaluated());
        let file = results.file(&key);
        let whole = fs::read(&file).expect("read");
        for position in 0..whole.len() - 1 {
            let mut bytes = whole.clone();
            bytes[position] ^= 1;
            fs::write(&file, &bytes).expect("written");
            assert!(
                matches!(results.lookup(&key), Lookup::Miss(_)),
                "byte {position}"
            );
            fs::write(&file, &whole[..position]).expect("written");
            assert!(
                matches!(results.lookup(&key), Lookup::Miss(_)),
                "cut at {position}"
            );
        }
    }

    #[test]
    fn interrupted_write_leaves_old_file_intact() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let key = key("box", "1");
        let keep = |milliseconds| results.keep(&key, "box", &[], milliseconds, &evaluated());
        keep(1.0);
        let length = fs::read(results.file(&key)).expect("read").len();
        for end in ["short", "cut"] {
            for byte in 0..length {
                let fault = format!("cache.result:after:{end}={byte}");
                let _ = crate::fault::within::with(&fault, || keep(2.0));
                let Lookup::Hit(entry) = results.lookup(&key) else {
                    panic!("{fault}: the result is gone");
                };
                assert!(entry.milliseconds < 1.5, "{fault}: the result was replaced");
            }
        }
        keep(3.0);
        let left = fs::read_dir(&results.folder).expect("listed").count();
        assert_eq!(left, 1, "a temporary file was left behind");
    }

    #[test]
    fn cache_writable_by_others_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        Results::open(&locations).expect("ours");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(locations.results(), open).expect("opened to all");
        assert!(Results::open(&locations).is_err_and(|why| why.contains("other users can write")));
    }

    #[test]
    fn old_or_surplus_results_are_removed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let old = key("box", "old");
        results.keep(&old, "box", &[], 1.0, &evaluated());
        let then = SystemTime::now() - AGE - Duration::from_secs(60);
        let file = fs::File::options()
            .append(true)
            .open(results.file(&old))
            .expect("open");
        file.set_modified(then).expect("made old");
        for number in 0..MOST + 5 {
            results.keep(
                &key("box", &number.to_string()),
                "box",
                &[],
                1.0,
                &evaluated(),
            );
        }
        assert!(matches!(results.lookup(&old), Lookup::Miss(_)));
        assert_eq!(results.entries().len(), MOST);
    }

    #[test]
    fn least_recently_used_root_is_removed_first() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let keys = ["first", "second", "third"].map(|lock| key("box", lock));
        fs::create_dir_all(results.roots()).expect("a folder");
        for key in &keys {
            results.keep(key, "box", &[], 1.0, &evaluated());
            let link = results.roots().join(&key.digest);
            std::os::unix::fs::symlink("/d", &link).expect("a root");
            fs::write(link.with_extension("bytes"), (4u64 << 30).to_string()).expect("its size");
        }
        // The first result is the oldest, but was used most recently.
        for (key, days) in keys.iter().zip([0, 2, 1]) {
            let file = fs::File::options().append(true).open(results.file(key));
            file.expect("open")
                .set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600))
                .expect("made old");
        }
        results.shrink();
        let left = keys.map(|key| results.rooted(&key.digest).is_some());
        assert_eq!(left, [true, false, true]);
    }
}
