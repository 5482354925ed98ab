//! Results of evaluation on disk, one file each, found by their key.
//!
//! A file is believed if its checksum holds, it has our schema and it names the very key that is asked for; anything else
//! is as if it were not there. Files are replaced whole. Whether the paths that it names are still in the store is for the
//! caller to ask.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Key;
use super::files::replace;
use crate::clock::now;
use crate::evaluation::Evaluated;
use crate::fault::Point;
use crate::locations::Locations;
use crate::timings::Counters;

/// The schema of a file.
const SCHEMA: u64 = 1;

/// How many results are kept, and for how long after they were last of use.
const MOST: usize = 200;
const AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many digits of the subject a file is named by.
const SUBJECT: usize = 16;

/// The results of this user.
#[derive(Clone, Debug)]
pub struct Results {
    folder: PathBuf,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    schema: u64,
    /// What it is found by.
    pub key: String,
    /// A digest of each ingredient of the key.
    pub parts: BTreeMap<String, String>,
    /// The host.
    pub host: String,
    /// Names of the modules.
    pub modules: Vec<String>,
    /// Seconds since 1970.
    pub made: u64,
    /// What the evaluation took, milliseconds.
    pub milliseconds: f64,
    /// The result, without counters: nothing is counted where nothing is evaluated.
    pub evaluated: Evaluated,
}

/// What came of looking a result up.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// It is there.
    Hit(Box<Entry>),
    /// It is not, and why.
    Miss(String),
}

impl Results {
    /// The results of this user; or why there can be none: they must be nobody else's.
    pub fn open(locations: &Locations) -> Result<Self, String> {
        let folder = locations.results();
        let shown = folder.display();
        if !folder.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|error| format!("{shown} cannot be made: {error}"))?;
        }
        let user = unix::unistd::geteuid().as_raw();
        match stranger(&folder, user) {
            None => Ok(Self { folder }),
            Some(path) => Err(format!("others may write to {}", path.display())),
        }
    }

    /// Looks a result up.
    pub fn lookup(&self, key: &Key) -> Lookup {
        match read(&self.file(key))
            .filter(|entry| entry.key == key.digest && entry.parts == key.parts)
        {
            Some(entry) => Lookup::Hit(Box::new(entry)),
            None => Lookup::Miss(self.why(key)),
        }
    }

    /// Says that a result was of use.
    pub fn used(&self, key: &Key) {
        // Where that cannot be said, it is forgotten a little earlier.
        let _ = fs::File::options()
            .append(true)
            .open(self.file(key))
            .and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Keeps a result. A cache that cannot be written is no reason to fail.
    pub fn keep(
        &self,
        key: &Key,
        host: &str,
        modules: &[String],
        milliseconds: f64,
        evaluated: &Evaluated,
    ) {
        let entry = Entry {
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

    fn write(&self, path: &Path, entry: &Entry) -> Result<()> {
        let text = serde_json::to_string(entry).context("write JSON")?;
        let text = format!("{text}\n{:08x}\n", crc32fast::hash(text.as_bytes()));
        replace(path, text.as_bytes(), Point::CacheResult)
            .with_context(|| format!("write {}", path.display()))
    }

    /// Why there is no such result: what has changed since the nearest one of this host.
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
            None => "nothing yet for this host".into(),
            Some(differences) if differences == ["the modules"] => {
                "nothing yet with these modules".into()
            }
            Some(differences) if differences.is_empty() => "the file is damaged".into(),
            Some(differences) => format!("changed since: {}", differences.join(", ")),
        }
    }

    /// All results, the one that was of use last first.
    pub fn entries(&self) -> Vec<(SystemTime, Entry)> {
        let mut entries: Vec<(SystemTime, Entry)> = self
            .files()
            .iter()
            .filter_map(|file| Some((modified(file)?, read(file)?)))
            .collect();
        entries.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
        entries
    }

    /// Where the roots of results are.
    pub(super) fn roots(&self) -> PathBuf {
        self.folder.join("roots")
    }

    /// When each result was of use last, by its digest.
    pub(super) fn last_uses(&self) -> HashMap<String, SystemTime> {
        let files = self.files();
        let uses = files
            .iter()
            .filter_map(|file| Some((digest_of(file), modified(file)?)));
        uses.collect()
    }

    /// Bytes on disk, without what the roots keep.
    pub fn size(&self) -> u64 {
        self.files()
            .iter()
            .filter_map(|file| fs::metadata(file).ok())
            .map(|file| file.len())
            .sum()
    }

    /// Forgets everything; how many results there were.
    pub fn clear(&self) -> Result<usize> {
        let files = self.files();
        for file in &files {
            fs::remove_file(file).with_context(|| format!("remove {}", file.display()))?;
        }
        self.prune_roots(&[])?;
        Ok(files.len())
    }

    /// Forgets what was of no use for long, and what is too much.
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

/// A file, if all of it is as it was written.
fn read(file: &Path) -> Option<Entry> {
    let text = fs::read_to_string(file).ok()?;
    let (text, sum) = text.trim_end_matches('\n').rsplit_once('\n')?;
    if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(text.as_bytes()) {
        return None;
    }
    serde_json::from_str::<Entry>(text)
        .ok()
        .filter(|entry| entry.schema == SCHEMA)
}

/// The first folder on the way to this one that anybody but this user or root can change.
fn stranger(folder: &Path, user: u32) -> Option<PathBuf> {
    let foreign = |path: &Path, top: bool| {
        let Ok(found) = fs::metadata(path) else {
            return true;
        };
        let sticky = found.mode() & 0o1000 != 0;
        // The folder itself must be ours: root uses none that root does not own. Those above may be root's too.
        let owned = found.uid() == user || (!top && found.uid() == 0);
        !owned || (found.mode() & 0o022 != 0 && (top || !sticky))
    };
    let mut ancestors = folder.ancestors();
    let first = ancestors.next()?;
    if foreign(first, true) {
        return Some(first.to_path_buf());
    }
    // Only root has more to lose than what is its own anyway.
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

/// The digest that a file is named by.
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
    use crate::cache::Ingredients;
    use crate::evaluation::Derivation;

    fn key(host: &str, lock: &str) -> Key {
        let ingredients = Ingredients {
            host: host.into(),
            lock: lock.into(),
            ..Ingredients::default()
        };
        ingredients.key()
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
    fn a_result_is_found_by_its_own_key_only() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let one = key("box", "1");
        assert_eq!(
            results.lookup(&one),
            Lookup::Miss("nothing yet for this host".into())
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
            Lookup::Miss("nothing yet for this host".into())
        );
        assert_eq!(results.clear().expect("cleared"), 1);
        assert!(matches!(results.lookup(&one), Lookup::Miss(_)));
    }

    #[test]
    fn a_file_under_the_name_of_another_is_not_believed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = results(dir.path());
        let (one, other) = (key("box", "1"), key("box", "2"));
        results.keep(&one, "box", &[], 1.0, &evaluated());
        fs::copy(results.file(&one), results.file(&other)).expect("copied");
        assert!(matches!(results.lookup(&other), Lookup::Miss(_)));
    }

    #[test]
    fn every_byte_that_changes_makes_it_a_miss() {
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
    fn a_write_that_is_cut_anywhere_leaves_what_was_there() {
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
                    panic!("{fault}: it is gone");
                };
                assert!(entry.milliseconds < 1.5, "{fault}: it was replaced");
            }
        }
        keep(3.0);
        let left = fs::read_dir(&results.folder).expect("listed").count();
        assert_eq!(left, 1, "something was left behind");
    }

    #[test]
    fn what_others_may_write_to_is_not_used() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let locations = Locations::new(dir.path(), dir.path().join("cache"));
        Results::open(&locations).expect("ours");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(locations.results(), open).expect("opened to all");
        assert!(Results::open(&locations).is_err_and(|why| why.contains("others may write")));
    }

    #[test]
    fn what_is_old_or_too_much_is_forgotten() {
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
    fn the_root_that_goes_is_that_of_the_result_used_least_recently() {
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
        // Made first, and of use last.
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
