//! Generates JSON Schemas of the documents that the program prints and reads, from their Rust
//! types. Does not read or write files.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The program that writes the documents of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// This program. A field that does not apply is absent.
    Program,
    /// Another program.
    Other,
}

/// A schema under construction.
pub struct SchemaBuilder {
    generator: SchemaGenerator,
    writer: Writer,
    documents: Vec<Schema>,
}

impl SchemaBuilder {
    pub fn new(writer: Writer) -> Self {
        let settings = SchemaSettings::draft2020_12();
        let settings = match writer {
            Writer::Program => settings.for_serialize(),
            Writer::Other => settings.for_deserialize(),
        };
        Self {
            generator: settings.into_generator(),
            writer,
            documents: Vec::new(),
        }
    }

    /// Adds a type of document.
    #[must_use]
    pub fn document<T: JsonSchema>(mut self) -> Self {
        self.documents.push(self.generator.subschema_for::<T>());
        self
    }

    /// Returns the schema of all documents that match one of the types.
    pub fn any(mut self, title: &str, description: &str) -> Value {
        let definitions = self.generator.take_definitions(true);
        let schema = json!({ "anyOf": self.documents, "$defs": definitions });
        self.finish(schema, title, description)
    }

    /// Returns the schema of the documents of one type.
    pub fn only<T: JsonSchema>(mut self, title: &str, description: &str) -> Value {
        let mut schema = self.generator.root_schema_for::<T>();
        let version = json!({ "const": 1 });
        add_field(schema.ensure_object(), "schema", &version);
        self.finish(schema.into(), title, description)
    }

    fn finish(&self, mut schema: Value, title: &str, description: &str) -> Value {
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
        schema["title"] = title.into();
        schema["description"] = description.into();
        tidy(&mut schema, self.writer);
        schema
    }
}

/// Adds a required field to an object, or to each variant of an enum.
fn add_field(schema: &mut Map<String, Value>, name: &str, field: &Value) {
    if let Some(Value::Array(variants)) = schema.get_mut("oneOf") {
        let variants = variants.iter_mut().filter_map(Value::as_object_mut);
        variants.for_each(|variant| add_field(variant, name, field));
    } else if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.insert(name.into(), field.clone());
        let required = schema.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            required.retain(|one| one != name);
            required.insert(0, name.into());
        }
    }
}

/// Adapts a generated schema to the real documents, and removes details that are specific to Rust.
fn tidy(schema: &mut Value, writer: Writer) {
    let Value::Object(schema) = schema else {
        return;
    };
    // schemars uses names of Rust types as formats, such as `uint64`.
    if let Some(format) = schema.remove("format")
        && format == "double"
    {
        // Numbers of this format are times, sizes or ratios, which are never negative.
        schema.entry("minimum").or_insert_with(|| 0.into());
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if writer == Writer::Program {
        schema.remove("default");
        remove_absent_nulls(schema);
    }
    if let Some(version) = schema
        .get_mut("properties")
        .and_then(|fields| fields.get_mut("schema"))
    {
        *version = json!({
            "const": 1,
            "description": "The version; it changes if a field changes its meaning.",
        });
    }
    for (keyword, below) in schema {
        match (keyword.as_str(), below) {
            ("properties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(|one| tidy(one, writer));
            }
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(several)) => {
                several.iter_mut().for_each(|one| tidy(one, writer));
            }
            ("items" | "additionalProperties", one) => tidy(one, writer),
            _ => {}
        }
    }
}

/// Forbids null in optional fields, because these fields are absent instead of null.
fn remove_absent_nulls(schema: &mut Map<String, Value>) {
    let required = schema.get("required").cloned().unwrap_or_default();
    let required = required.as_array().cloned().unwrap_or_default();
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        for (name, field) in fields {
            if !required.iter().any(|one| one == name) {
                remove_null(field);
            }
        }
    }
}

fn remove_null(schema: &mut Value) {
    let Value::Object(schema) = schema else {
        return;
    };
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            schema.insert("type".into(), one);
        }
    }
    if let Some(Value::Array(mut choices)) = schema.remove("anyOf") {
        choices.retain(|one| one["type"] != "null");
        match choices.as_mut_slice() {
            [Value::Object(one)] => {
                let description = schema.remove("description");
                schema.append(one);
                schema.extend(description.map(|text| ("description".into(), text)));
            }
            _ => {
                schema.insert("anyOf".into(), choices.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    /// A document.
    #[derive(Serialize, JsonSchema)]
    struct Document {
        schema: u64,
        /// A text that
        /// continues.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// A time.
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<f64>,
        /// A part.
        #[serde(skip_serializing_if = "Option::is_none")]
        part: Option<Part>,
        /// Another part.
        other: Option<Part>,
    }

    /// A part of a document.
    #[derive(Serialize, JsonSchema)]
    struct Part {
        /// Numbers.
        numbers: Vec<u64>,
    }

    /// A line.
    #[derive(Serialize, JsonSchema)]
    #[serde(tag = "event")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Line {
        /// One.
        One {
            /// A number.
            number: i64,
        },
    }

    #[test]
    fn absent_fields_are_not_null() {
        let schema = SchemaBuilder::new(Writer::Program)
            .document::<Document>()
            .any("T", "D");
        assert_eq!(schema["anyOf"], json!([{ "$ref": "#/$defs/Document" }]));
        let document = &schema["$defs"]["Document"];
        assert_eq!(document["required"], json!(["schema", "other"]));
        let fields = &document["properties"];
        assert_eq!(fields["schema"]["const"], 1);
        assert_eq!(
            fields["text"],
            json!({ "type": "string", "description": "A text that continues." })
        );
        assert_eq!(
            fields["time"],
            json!({ "type": "number", "minimum": 0, "description": "A time." })
        );
        assert_eq!(
            fields["part"],
            json!({ "$ref": "#/$defs/Part", "description": "A part." })
        );
        assert_eq!(
            fields["other"]["anyOf"],
            json!([{ "$ref": "#/$defs/Part" }, { "type": "null" }])
        );
    }

    #[test]
    fn each_variant_has_the_version() {
        let schema = SchemaBuilder::new(Writer::Program).only::<Line>("T", "D");
        let variant = &schema["oneOf"][0];
        assert_eq!(variant["required"], json!(["schema", "event", "number"]));
        assert_eq!(variant["properties"]["schema"]["const"], 1);
        assert_eq!(
            variant["properties"]["number"],
            json!({ "type": "integer", "description": "A number." })
        );
    }
}
