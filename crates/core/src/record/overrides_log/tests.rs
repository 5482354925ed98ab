use std::cell::Cell;
use std::fs;

use super::*;
use crate::error::Failure;
use crate::overrides::Edit;

fn generation(number: u64) -> Generation {
    Generation {
        number,
        time: 7,
        user: "ada".into(),
        // All records have the same length, and ten records are longer than a block.
        message: Some(format!("{number:0600}")),
        transaction: format!("{number:06}"),
        edit: Edit::Reset,
    }
}

fn place() -> (tempfile::TempDir, Locations) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let locations = Locations::new(dir.path(), dir.path().join("cache"));
    append(&locations, &generation(1)).expect("added");
    append(&locations, &generation(2)).expect("added");
    (dir, locations)
}

fn line(generation: &Generation) -> String {
    written(&serde_json::to_string(generation).expect("JSON"))
}

fn message(error: &anyhow::Error) -> String {
    let failed = crate::error::describe(error);
    assert_eq!(failed.failure, Failure::Refused);
    let hint = failed.hints.last().expect("a hint");
    assert!(
        hint.ends_with("; only the history of overrides is lost"),
        "{hint}"
    );
    failed.message
}

#[test]
fn generations_are_read_in_order() {
    let (_dir, locations) = place();
    assert_eq!(
        read(&locations).expect("read"),
        [generation(1), generation(2)]
    );
    assert_eq!(last(&locations).expect("read"), Some(generation(2)));
    fs::remove_file(locations.overrides_log()).expect("removed");
    assert_eq!(read(&locations).expect("read"), []);
    assert_eq!(last(&locations).expect("read"), None);
}

#[test]
fn truncated_last_generation_is_ignored() {
    let (_dir, locations) = place();
    let file = locations.overrides_log();
    let whole = fs::read(&file).expect("read");
    let first = whole.iter().position(|b| *b == b'\n').expect("a line") + 1;
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).expect("cut");
        let kept = match length < first {
            true => vec![],
            false => vec![generation(1)],
        };
        assert_eq!(read(&locations).expect("read"), kept, "cut at {length}");
        assert_eq!(last(&locations).expect("read"), kept.last().cloned());
        append(&locations, &generation(3)).expect("added");
        let all = [kept, vec![generation(3)]].concat();
        assert_eq!(read(&locations).expect("read"), all, "cut at {length}");
    }
}

#[test]
fn recorded_generation_is_not_recorded_twice() {
    let (_dir, locations) = place();
    append(&locations, &generation(2)).expect("already there");
    assert_eq!(read(&locations).expect("read").len(), 2);
    let other = Generation {
        transaction: "other".into(),
        ..generation(2)
    };
    for late in [other, generation(1)] {
        let error = append(&locations, &late).expect_err("refused");
        let said = message(&error);
        assert!(said.starts_with("cannot record generation "), "{said}");
        assert!(said.ends_with(" already ends with generation 2"), "{said}");
    }
    assert_eq!(read(&locations).expect("read").len(), 2);
}

#[test]
fn damaged_file_is_an_error_with_a_hint() {
    let (_dir, locations) = place();
    let file = locations.overrides_log();
    let whole = fs::read(&file).expect("read");
    for (index, line) in [(20, 1), (whole.len() - 20, 2)] {
        let mut bytes = whole.clone();
        bytes[index] ^= 0x81;
        fs::write(&file, bytes).expect("damaged");
        let said = message(&read(&locations).expect_err("an error"));
        assert!(
            said.starts_with("cannot read the history of overrides "),
            "{said}"
        );
        assert!(
            said.ends_with(&format!(": line {line} is damaged")),
            "{said}"
        );
    }
    // `append` reads only the last record, and refuses to write if this record is damaged.
    let damaged = fs::read(&file).expect("read");
    let said = message(&append(&locations, &generation(3)).expect_err("an error"));
    assert!(said.ends_with(": the last record is damaged"), "{said}");
    assert_eq!(fs::read(&file).expect("read"), damaged);
}

#[test]
fn generation_of_another_version_is_refused() {
    let (_dir, locations) = place();
    let file = locations.overrides_log();
    let json = r#"{"number":3,"time":1,"user":"ada","transaction":"t","edit":{"kind":"shuffle"}}"#;
    let text = fs::read_to_string(&file).expect("read") + &written(json);
    fs::write(&file, &text).expect("written");
    for (error, place) in [
        (read(&locations).map(drop).expect_err("an error"), "line 3"),
        (
            append(&locations, &generation(4)).expect_err("an error"),
            "the last record",
        ),
    ] {
        let said = message(&error);
        let unknown =
            format!(": {place} is intact, but this version cannot parse it: unknown variant");
        assert!(said.contains(&unknown), "{said}");
    }
    assert_eq!(fs::read_to_string(&file).expect("read"), text);
}

#[test]
fn long_last_generation_is_found() {
    let (_dir, locations) = place();
    for size in [BLOCK - 700, BLOCK - 1, BLOCK, BLOCK + 1, 40 * BLOCK] {
        let number = size;
        let long = Generation {
            message: Some("x".repeat(usize::try_from(size).expect("small"))),
            ..generation(number)
        };
        append(&locations, &long).expect("added");
        assert_eq!(last(&locations).expect("read"), Some(long));
    }
}

/// A file that counts the bytes that were read from it.
struct CountingReader<'a>(io::Cursor<&'a [u8]>, &'a Cell<usize>);

impl Read for CountingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.set(self.1.get() + count);
        Ok(count)
    }
}

impl Seek for CountingReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn appending_costs_the_same_after_many_generations() {
    let cost = |generations: u64| {
        let others = usize::try_from(generations - 1).expect("small");
        let text = line(&generation(1)).repeat(others) + &line(&generation(generations));
        let count = Cell::new(0);
        let file = CountingReader(io::Cursor::new(text.as_bytes()), &count);
        let (found, length) = last_line(file).expect("a line");
        assert_eq!(length, text.len() as u64);
        let found = String::from_utf8(found).expect("valid UTF-8");
        assert_eq!(found + "\n", line(&generation(generations)));
        count.get()
    };
    assert_eq!(cost(10), usize::try_from(BLOCK).expect("small"));
    assert_eq!(cost(10), cost(100_000));
}
