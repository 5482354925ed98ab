//! Checks paths and values before they are recorded. Both must be plain data: the module system
//! must not interpret any part of them.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attributes::written;
use crate::error::{Failed, OverrideError};

/// The maximum size of a value as JSON, in bytes.
const BYTES: usize = 1 << 20;

/// The maximum nesting depth of lists and attribute sets.
const DEPTH: usize = 100;

/// Refuses a path that cannot be an option path.
pub fn check_path(path: &[String]) -> Result<(), Failed> {
    let shown = written(path);
    let interpreted = |name: &String| INTERPRETED.contains(&name.as_str());
    let mut characters = path.iter().flat_map(|name| name.chars());
    let error = if path.is_empty() {
        OverrideError::EmptyPath
    } else if path[0] == "_module" {
        OverrideError::ModuleArguments { path: shown }
    } else if path.iter().any(interpreted) {
        OverrideError::InterpretedName { path: shown }
    } else if let Some(found) = characters.find(|c| c.is_control()) {
        let found = found.into();
        OverrideError::ControlCharacterInPath { path: shown, found }
    } else {
        return Ok(());
    };
    Err(error.into())
}

/// Names that the module system interprets instead of treating them as data.
const INTERPRETED: [&str; 2] = ["_type", "_module"];

/// Refuses a value that is not plain data or is too large.
pub fn check_value(path: &[String], value: &Value) -> Result<(), Failed> {
    let mut at = Vec::new();
    check_part(value, &mut at).map_err(|problem| {
        let place = match at.is_empty() {
            true => String::new(),
            false => format!(" at {}", value_place(path, &at)),
        };
        problem.error(written(path), place)
    })?;
    let mut counter = ByteCounter(0);
    // Writing can fail only because the value is too large.
    serde_json::to_writer(&mut counter, value).map_err(|_| {
        let option = written(path);
        OverrideError::ValueTooLarge { option }.into()
    })
}

/// A component of the path to a part of a value: a name or an index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum ValuePart {
    Name(String),
    Index(usize),
}

/// The reason why a part of a value is refused.
enum ValueProblem {
    Interpreted(&'static str),
    Control(char),
    Integer(u64),
    Depth,
}

impl ValueProblem {
    fn error(self, option: String, place: String) -> OverrideError {
        match self {
            Self::Interpreted("_type") => OverrideError::TypeInValue { option, place },
            Self::Interpreted(_) => OverrideError::ModuleInValue { option, place },
            Self::Control(found) => OverrideError::ControlCharacterInValue {
                option,
                found: found.into(),
                place,
            },
            Self::Integer(integer) => OverrideError::IntegerTooLarge {
                option,
                integer,
                place,
            },
            // Do not show the location of the value, because its path would have a hundred names.
            Self::Depth => OverrideError::NestedTooDeeply {
                option,
                levels: DEPTH,
            },
        }
    }
}

/// Checks a part of a value. After an error, `at` is the path to the refused part.
fn check_part(value: &Value, at: &mut Vec<ValuePart>) -> Result<(), ValueProblem> {
    match value {
        Value::Array(_) | Value::Object(_) if at.len() == DEPTH => Err(ValueProblem::Depth),
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .try_for_each(|(index, element)| {
                at.push(ValuePart::Index(index));
                check_part(element, at)?;
                at.pop();
                Ok(())
            }),
        Value::Object(attributes) => attributes.iter().try_for_each(|(name, value)| {
            if let Some(found) = INTERPRETED.iter().find(|one| **one == name) {
                return Err(ValueProblem::Interpreted(found));
            }
            check_text(name)?;
            at.push(ValuePart::Name(name.clone()));
            check_part(value, at)?;
            at.pop();
            Ok(())
        }),
        Value::String(text) => check_text(text),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (None, Some(found)) => Err(ValueProblem::Integer(found)),
            _ => Ok(()),
        },
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn check_text(text: &str) -> Result<(), ValueProblem> {
    let refused = |c: &char| c.is_control() && *c != '\n' && *c != '\t';
    match text.chars().find(refused) {
        Some(found) => Err(ValueProblem::Control(found)),
        None => Ok(()),
    }
}

/// Formats the path to a part of a value, such as `users.users.ada.extraGroups[1]`.
pub fn value_place(path: &[String], at: &[ValuePart]) -> String {
    let mut shown = written(path);
    for part in at {
        match part {
            ValuePart::Name(name) => shown += &format!(".{}", written(std::slice::from_ref(name))),
            ValuePart::Index(index) => shown += &format!("[{index}]"),
        }
    }
    shown
}

/// A writer that counts bytes, and fails after more than [`BYTES`].
struct ByteCounter(usize);

impl Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        match self.0 > BYTES {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Failure;

    fn path(text: &str) -> Vec<String> {
        crate::attributes::parse(text).expect("a path")
    }

    fn refused(value: &Value) -> Failed {
        let failed = check_value(&path("a.\"b.c\""), value).expect_err("refused");
        assert_eq!(failed.failure, Failure::Usage);
        assert_eq!(failed.hints.len(), 1, "{failed}");
        failed
    }

    fn nested_lists(levels: usize) -> Value {
        (1..levels).fold(json!([]), |value, _| json!([value]))
    }

    #[test]
    fn plain_data_is_accepted() {
        for value in [
            json!(null),
            json!(i64::MIN),
            json!(i64::MAX),
            json!(1e300),
            json!("two\n\tlines ${x} \u{1f600}"),
            json!({"": {"_types": [true, {"type": "_type", "x": "_module"}]}}),
            nested_lists(DEPTH),
        ] {
            check_value(&path("a"), &value).unwrap_or_else(|error| panic!("{value}: {error}"));
        }
    }

    #[test]
    fn interpreted_names_are_refused_at_any_depth() {
        for (value, place) in [
            (json!({"_type": "if", "condition": false}), ""),
            (json!({"x": {"_type": 1}}), " at a.\"b.c\".x"),
            (
                json!([1, {"x y": [{"_type": 1}]}]),
                " at a.\"b.c\"[1].\"x y\"[0]",
            ),
        ] {
            assert_eq!(
                refused(&value).message,
                format!(
                    "cannot set a.\"b.c\": the value contains _type{place}, which the module system would interpret"
                )
            );
        }
        let failed = refused(&json!([{"_module": {"args": {}}}]));
        assert!(
            failed
                .message
                .contains("contains _module at a.\"b.c\"[0], ")
        );
    }

    #[test]
    fn large_values_are_refused() {
        let text = |bytes: usize| Value::String("x".repeat(bytes));
        check_value(&path("a"), &text(BYTES - 2)).expect("small enough");
        for value in [
            text(BYTES - 1),
            text(10 * BYTES),
            json!({"x": [text(BYTES)]}),
        ] {
            let failed = refused(&value);
            assert!(
                failed
                    .message
                    .ends_with("the value is larger than 1 MiB in JSON"),
                "{failed}"
            );
        }
    }

    #[test]
    fn deep_values_are_refused() {
        for levels in [DEPTH + 1, 2 * DEPTH] {
            let failed = refused(&nested_lists(levels));
            assert!(failed.message.ends_with("more than 100 levels deep"));
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for (text, code) in [
            ("\u{1b}[1m", "001B"),
            ("\0", "0000"),
            ("\r\n", "000D"),
            ("\u{7f}", "007F"),
            ("\u{9b}", "009B"),
        ] {
            for value in [json!(text), json!([text]), json!({text: 1})] {
                let failed = refused(&value);
                let said = format!("contains the control character U+{code}");
                assert!(failed.message.contains(&said), "{failed}");
            }
        }
    }

    #[test]
    fn integers_must_fit_into_nix() {
        let failed = refused(&json!([u64::MAX]));
        assert_eq!(
            failed.message,
            "cannot set a.\"b.c\": the integer 18446744073709551615 at a.\"b.c\"[0] is too large for Nix"
        );
        assert!(
            failed.hints[0].ends_with("'\"18446744073709551615\"'"),
            "{failed:?}"
        );
    }

    #[test]
    fn paths_name_an_option() {
        check_path(&path("services.nginx.virtualHosts.\"a.b ü\".root")).expect("a path");
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (path, said) in [
            (
                names(&[]),
                "cannot override an option: the path of the option is empty",
            ),
            (
                names(&["_module", "args"]),
                "cannot override _module.args: _module is reserved for the module system",
            ),
            (
                names(&["a", "_type"]),
                "cannot override a._type: the path contains _type or _module, which the module system would interpret",
            ),
            (
                names(&["a", "b\n"]),
                "cannot override a.\"b\n\": the path contains the control character U+000A",
            ),
        ] {
            let failed = check_path(&path).expect_err("refused");
            assert_eq!(
                (failed.failure, failed.message.as_str()),
                (Failure::Usage, said)
            );
            assert_eq!(failed.hints.len(), 1);
        }
    }
}
