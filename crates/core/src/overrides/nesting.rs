//! Checks whether a definition can be written into the value of a definition for a parent path,
//! such as `a.b` into the value of `a`.

use serde_json::Value;

use super::Definition;
use super::fold::obstacle;
use crate::attributes::written;
use crate::error::OverrideError;
use crate::quoting::for_shell;

/// Refuses a definition that cannot be written into the value of its ancestor.
pub(super) fn check_nested(ancestor: &Definition, new: &Definition) -> Result<(), OverrideError> {
    let (option, above) = (written(&new.path), written(&ancestor.path));
    if let Some(priority) = new.priority {
        return Err(OverrideError::PriorityOfPart {
            option,
            priority,
            above,
        });
    }
    match (ancestor.persist, new.persist) {
        (true, false) => return Err(OverrideError::InsidePersistent { option, above }),
        (false, true) => return Err(OverrideError::InsideTemporary { option, above }),
        (true, true) | (false, false) => {}
    }
    match obstacle(&ancestor.value, &new.path[ancestor.path.len()..]) {
        Some((depth, found)) => Err(blocked(&new.path, ancestor.path.len() + depth, found)),
        None => Ok(()),
    }
}

/// Returns the error for a path that continues below a value without attributes. The first `length`
/// names are the path of this value.
fn blocked(path: &[String], length: usize, found: &Value) -> OverrideError {
    let (option, above) = (written(path), written(&path[..length]));
    let quoted = for_shell(&above);
    let kind = match found {
        Value::Array(_) => {
            return OverrideError::InsideList {
                option,
                above,
                quoted,
            };
        }
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a Boolean",
        _ => "null",
    };
    OverrideError::NoAttributes {
        option,
        above,
        kind,
        quoted,
    }
}
