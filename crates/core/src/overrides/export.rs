//! Exports the overrides as a NixOS module, so that the user can add them to the configuration.

use super::{Definition, Mode, OverrideState, nix};

/// Returns the source of a module with one definition for each override.
pub fn export(state: &OverrideState) -> String {
    let mut text = format!(
        "# Option overrides of generation {}, exported by `runtime-module overrides export`.\n",
        state.generation
    );
    if state.definitions.is_empty() {
        return text + "# No option is overridden.\n{ }\n";
    }
    text.push_str("#\n# A smaller priority is stronger: lib.mkForce has 50, and a plain definition has 100.\n");
    let plain = |one: &Definition| priority(state, one).is_none();
    if state.definitions.iter().any(plain) {
        text.push_str(PLAIN);
    }
    if state
        .definitions
        .iter()
        .any(|one| !one.store_paths.is_empty())
    {
        text.push_str(STORE_PATHS);
    }
    text.push_str("{ lib, ... }:\n{\n");
    // `mkMerge` keeps the order of its definitions. The order of separate modules is not
    // guaranteed.
    text.push_str("  config = lib.mkMerge [\n");
    for one in &state.definitions {
        text.push_str(&definition(one, priority(state, one)));
    }
    text.push_str("  ];\n}\n");
    text
}

/// The comment in the exported module that explains definitions without a priority.
const PLAIN: &str = "#
# Merged values without lib.mkOverride are plain definitions. If the configuration sets the same option with a stronger
# priority, for example with lib.mkForce, wrap the value here in lib.mkOverride with that priority. Otherwise, the
# value here has no effect.
";

/// The comment in the exported module that explains store paths.
const STORE_PATHS: &str = "#
# Values with builtins.appendContext name store paths. These must be in the store of the machine that evaluates this
# module. Replace these values with expressions that use pkgs, for example \"${pkgs.hello}\".
";

/// Returns the priority of a definition. A merge has the priority of the replacing definition at
/// the same path.
fn priority(state: &OverrideState, one: &Definition) -> Option<i64> {
    let here = state
        .definitions
        .iter()
        .filter(|other| other.path == one.path);
    one.priority
        .or_else(|| here.filter_map(|other| other.priority).min())
}

fn definition(one: &Definition, priority: Option<i64>) -> String {
    let verb = match one.mode {
        Mode::Replace => "set",
        Mode::Merge => "merged",
    };
    let kept = if one.persist { ", persistent" } else { "" };
    let (path, value) = (
        nix::path(&one.path),
        nix::expression(&one.value, &one.store_paths, 6),
    );
    let value = match priority {
        Some(priority) => format!("lib.mkOverride {} {value}", nix::integer(priority)),
        None => value,
    };
    format!(
        "    {{\n      # Generation {}: {verb}{kept}.\n      {path} = {value};\n    }}\n",
        one.generation
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::overrides::{DerivationOutput, Edit, StringDependency};

    fn set(path: &str, value: serde_json::Value, mode: Mode) -> Definition {
        Definition {
            path: crate::attributes::parse(path).expect("a path"),
            value,
            mode,
            ..Definition::default()
        }
    }

    #[test]
    fn empty_export_is_a_module() {
        assert_eq!(
            export(&OverrideState::default()),
            "# Option overrides of generation 0, exported by `runtime-module overrides export`.\n# No option is overridden.\n{ }\n"
        );
    }

    #[test]
    fn store_paths_are_exported_with_their_context() {
        let source = StringDependency {
            path: "/nix/store/s-source".into(),
            made_by: None,
        };
        let package = StringDependency {
            path: "/nix/store/h-hello".into(),
            made_by: Some(DerivationOutput {
                drv: "/nix/store/d-hello.drv".into(),
                output: "out".into(),
            }),
        };
        let definition = Definition {
            store_paths: vec![package, source],
            ..set(
                "a",
                json!({"x": ["/nix/store/h-hello/bin/hello"], "y": "plain"}),
                Mode::Replace,
            )
        };
        let state = OverrideState::default()
            .apply(
                &Edit::Set {
                    definitions: vec![definition],
                },
                1,
            )
            .expect("applied");
        let text = export(&state);
        let call = "(builtins.appendContext \"/nix/store/h-hello/bin/hello\" {\n            \"/nix/store/d-hello.drv\".outputs = [ \"out\" ];\n          })";
        assert!(text.contains(call), "{text}");
        assert!(text.contains("must be in the store"), "{text}");
        assert_eq!(nixfmt_rs::format(&text).expect("Nix"), text);
    }

    #[test]
    fn each_definition_has_its_priority_and_generation() {
        let definitions = vec![
            set("a.\"b.c\"", json!("${x}"), Mode::Replace),
            set("n", json!(1), Mode::Replace),
            set("n", json!(2), Mode::Merge),
            set("l", json!([1, {"in": null}]), Mode::Merge),
        ];
        let state = OverrideState::default()
            .apply(&Edit::Set { definitions }, 7)
            .expect("applied");
        let text = export(&state);
        let (head, body) = text.split_once("{ lib, ... }:\n").expect("a function");
        assert!(head.lines().all(|line| line.starts_with('#')), "{head}");
        assert!(
            head.contains("generation 7") && head.contains("plain definitions"),
            "{head}"
        );
        assert_eq!(body, BODY);
        // The formatter can parse the module, and does not change it.
        assert_eq!(nixfmt_rs::format(&text).expect("Nix"), text);
    }

    const BODY: &str = "{
  config = lib.mkMerge [
    {
      # Generation 7: set.
      a.\"b.c\" = lib.mkOverride (-1) \"\\${x}\";
    }
    {
      # Generation 7: set.
      n = lib.mkOverride (-2) 1;
    }
    {
      # Generation 7: merged.
      n = lib.mkOverride (-2) 2;
    }
    {
      # Generation 7: merged.
      l = [
        1
        {
          \"in\" = null;
        }
      ];
    }
  ];
}
";
}
