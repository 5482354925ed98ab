//! Formats values in Nix syntax.

use serde_json::{Number, Value};

use super::StringDependency;

/// The reserved words of the Nix language.
const KEYWORDS: [&str; 10] = [
    "assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with",
];

/// Formats a value as an expression that can be an argument or an element of a list. Indents all
/// lines after the first by `indent` spaces. A string depends on each of `paths` that it contains.
pub(super) fn expression(value: &Value, paths: &[StringDependency], indent: usize) -> String {
    let (outer, inner) = (" ".repeat(indent), " ".repeat(indent + 2));
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => numeral(number),
        Value::String(text) => paths
            .iter()
            .filter(|path| text.contains(&path.path))
            .fold(string(text), |text, path| dependent(&text, path, &outer)),
        Value::Array(elements) if elements.is_empty() => "[ ]".into(),
        Value::Array(elements) => {
            let line = |element| format!("{inner}{}\n", expression(element, paths, indent + 2));
            let lines: String = elements.iter().map(line).collect();
            format!("[\n{lines}{outer}]")
        }
        Value::Object(attributes) if attributes.is_empty() => "{ }".into(),
        Value::Object(attributes) => {
            let line = |(key, value): (&String, &Value)| {
                let value = expression(value, paths, indent + 2);
                format!("{inner}{} = {value};\n", name(key))
            };
            let lines: String = attributes.iter().map(line).collect();
            format!("{{\n{lines}{outer}}}")
        }
    }
}

/// Formats a string that depends on a store path.
fn dependent(text: &str, path: &StringDependency, outer: &str) -> String {
    let context = match &path.made_by {
        Some(made) => format!(
            "{}.outputs = [ {} ];",
            string(&made.drv),
            string(&made.output)
        ),
        None => format!("{}.path = true;", string(&path.path)),
    };
    format!("(builtins.appendContext {text} {{\n{outer}  {context}\n{outer}}})")
}

/// Formats an attribute path.
pub(super) fn path(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|one| name(one)).collect();
    names.join(".")
}

/// Formats an integer as an argument.
pub(super) fn integer(value: i64) -> String {
    if value == i64::MIN {
        // Nix parses a negative number as the negation of a positive number, and this positive
        // number would be too large.
        format!("({} - 1)", i64::MIN + 1)
    } else if value < 0 {
        format!("({value})")
    } else {
        value.to_string()
    }
}

fn name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_'-".contains(c);
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    match name.starts_with(first) && name.chars().all(plain) && !KEYWORDS.contains(&name) {
        true => name.into(),
        false => string(name),
    }
}

fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '$' if rest.peek() == Some(&'{') => quoted.push_str("\\$"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn numeral(number: &Number) -> String {
    if let Some(value) = number.as_i64() {
        return integer(value);
    }
    let (json, value) = (number.to_string(), number.as_f64().unwrap_or_default());
    // Nix has no literals for negative zero or subnormal numbers.
    if (value == 0.0 && value.is_sign_negative()) || value.is_subnormal() {
        return format!("(builtins.fromJSON \"{json}\")");
    }
    // A floating-point literal in Nix needs a decimal point, even if it has an exponent.
    let literal = match json.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
        _ => json,
    };
    match value < 0.0 {
        true => format!("({literal})"),
        false => literal,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_in_nix() {
        for (value, nix) in [
            (json!(null), "null"),
            (json!(true), "true"),
            (json!(7), "7"),
            (json!(-7), "(-7)"),
            (json!(i64::MIN), "(-9223372036854775807 - 1)"),
            (json!(0.5), "0.5"),
            (json!(-2.0), "(-2.0)"),
            (json!(1e300), "1.0e+300"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(-0.0), "(builtins.fromJSON \"-0.0\")"),
            (json!(5e-324), "(builtins.fromJSON \"5e-324\")"),
            (json!([]), "[ ]"),
            (json!({}), "{ }"),
            (
                json!("a\"\\\n\t'' $ ${x} $${y}"),
                r#""a\"\\\n\t'' $ \${x} $\${y}""#,
            ),
            (
                json!([-1, ["a"]]),
                "[\n    (-1)\n    [\n      \"a\"\n    ]\n  ]",
            ),
            (
                json!({"a-b'": 1, "in": 2, "1a": 3, "": 4, "a.${b}": {"ü": []}}),
                "{\n    \"\" = 4;\n    \"1a\" = 3;\n    a-b' = 1;\n    \"a.\\${b}\" = {\n      \"ü\" = [ ];\n    };\n    \"in\" = 2;\n  }",
            ),
        ] {
            assert_eq!(expression(&value, &[], 2), nix);
        }
    }
}
