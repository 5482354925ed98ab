//! Checks every document and event that a test reads against `docs/schemas`. Unlike other readers, which must ignore
//! unknown fields, tests reject them.

use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

/// A compiled schema that rejects fields it does not name.
struct Strict {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Strict {
    fn read(name: &str) -> Self {
        let path = format!(
            "{}/docs/schemas/{name}.schema.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut schema = super::read_json(std::path::Path::new(&path));
        forbid_more(&mut schema);
        let mut compiler = Compiler::new();
        let mut schemas = Schemas::new();
        compiler.add_resource(name, schema).expect("a schema");
        let index = compiler.compile(name, &mut schemas).expect("a schema");
        Self { schemas, index }
    }

    fn check(&self, value: &Value, what: &str) {
        if let Err(error) = self.schemas.validate(value, self.index) {
            panic!("{what}: does not match docs/schemas: {error:#}\n{value:#}");
        }
    }
}

/// Rejects additional fields in every object that lists its fields.
fn forbid_more(schema: &mut Value) {
    if schema.get("properties").is_some_and(Value::is_object) {
        schema["additionalProperties"] = json!(false);
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(forbid_more),
        Value::Array(items) => items.iter_mut().for_each(forbid_more),
        _ => {}
    }
}

static OUTPUT: LazyLock<Strict> = LazyLock::new(|| Strict::read("output"));
static EVENT: LazyLock<Strict> = LazyLock::new(|| Strict::read("event"));

/// Checks a document on stdout against `output.schema.json`. Skips benchmark results, except those
/// of `bench diff`, because that schema does not describe them.
pub fn document(value: &Value, arguments: &str) {
    let bench = arguments.split(' ').any(|word| word == "bench");
    if !bench || value["bench"] == "diff" || value.get("error").is_some() {
        OUTPUT.check(value, arguments);
    }
}

/// Checks a line of `--progress events`.
pub fn event(value: &Value, arguments: &str) {
    EVENT.check(value, arguments);
}
